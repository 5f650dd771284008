"""A file of transfers: accepting it, draining it, reading its results; and the ceiling for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from bench.bulk_file import Document, Job, Made, Words, make
from bench.effort import Effort
from bench.processor import LOAD
from bench.results import FileRun, FileSample
from bench.running import Running, running
from bench.scenarios import limit
from bench.scenarios.times import AUDITED_PER_S, BULK_PER_S, INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "bulk"
_WARM_UP_LINES: Final = 2_000
_SAMPLE_EVERY_S: Final = 0.5


async def run(bench: Workbench) -> None:
    """The file, then as many rows as it made at once: the same rows, so that the ratio is of
    nothing but the way that they took."""
    lines = bench.effort.bulk_lines
    async with bench.installation(NAME, Product()) as installation:
        async with running(Product(), installation) as system:
            # Connections, statements and interpreters are as warm as those of other scenarios.
            await _measured(bench, system, min(lines, _WARM_UP_LINES))
            bench.results.files.append(await _measured(bench, system, lines))
        await installation.settle()
        for _ in range(bench.effort.rounds):
            await limit.insert_select(bench, NAME, installation)


async def _measured(bench: Workbench, system: Running, lines: int) -> FileRun:
    """One file all the way, from its first byte to its last result."""
    seed = bench.seed()
    path = system.installation.home.folder / "bulk.csv"
    made = await asyncio.to_thread(make, path, system.installation.wallets, lines, seed)
    job = Job(system, made, f"bench-{seed}", bench.say)
    bench.say(f"  a file of {lines:,} lines, {made.mib:.1f} MiB")
    spent = system.processor()
    async with _sampled(system, job) as samples:
        started_s = time.monotonic()
        await job.hand_in()
        accepted_s = time.monotonic()
        bench.say(f"  accepted after {accepted_s - started_s:.1f} s")
        document = await job.ended()
        drained_s = time.monotonic()
        bench.say(f"  {document['status']} after {drained_s - accepted_s:.1f} s more")
        words = await job.results()
        read_s = time.monotonic()
    cores = system.processor().cores_since(spent)
    cores.pop(LOAD)  # of programs: handing in and reading are done here
    done = FileRun(
        scenario=NAME,
        system=system.system.name,
        setup=system.system.setup,
        case=f"{lines} lines",
        lines=lines,
        mib=made.mib,
        accepting_s=accepted_s - started_s,
        draining_s=drained_s - accepted_s,
        results_s=read_s - drained_s,
        samples=samples,
        cores=cores,
        problem=problem_of(made, document, words),
    )
    bench.say(
        f"  accepting {done.accepted_per_s:,.0f}/s, draining {done.drained_per_s:,.0f}/s,"
        f" results {done.read_per_s:,.0f}/s, end to end {done.rate_per_s:,.0f} lines/s"
        f" {done.problem}".rstrip()
    )
    return done


@asynccontextmanager
async def _sampled(system: Running, job: Job) -> AsyncIterator[list[FileSample]]:
    """What is seen of the system until the end of the block, and at its end."""
    samples: list[FileSample] = []
    started_s = time.monotonic()

    async def take() -> None:
        resident, _ = await asyncio.to_thread(system.memory)
        samples.append(FileSample(time.monotonic() - started_s, job.decided, resident))

    async def sample() -> None:
        while True:
            await take()
            await asyncio.sleep(_SAMPLE_EVERY_S)

    sampling = asyncio.create_task(sample())
    try:
        yield samples
    finally:
        sampling.cancel()
        await asyncio.wait({sampling})
    await take()


def problem_of(made: Made, document: Document, words: Words) -> str:
    """Why the figures are worth nothing: a line that is not posted was quicker than one that is."""
    if document["status"] != "DONE":
        return f"the file is {document['status']}: {document['reason']}"
    wrong = []
    if document["posted"] != made.lines:
        wrong.append(f"{document['posted']} of {made.lines} lines were posted")
    if words != Words(made.lines, made.lines):
        wrong.append(f"{words.lines} lines of results, {words.posted} of them posted")
    return "; ".join(wrong)


def seconds(effort: Effort) -> float:
    lines = effort.bulk_lines
    copied = effort.rounds * lines / limit.COPIED_PER_S
    return INSTALL_S + START_S + lines / BULK_PER_S + lines / AUDITED_PER_S + copied
