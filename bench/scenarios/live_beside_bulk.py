"""Payments at a constant rate, alone and while a file is worked off."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Final

from bench.bulk_file import Document, Job, make
from bench.effort import Effort
from bench.plan import TRANSFERS
from bench.results import FileBeside
from bench.running import Running, running
from bench.scenarios.times import AUDITED_PER_S, BULK_PER_S, INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "live beside bulk"
ALONE: Final = "no file"
BESIDE: Final = "beside a file"
PER_S: Final = 200
#: Of all payments but one in a hundred.
LIMIT_MS: Final = 100.0
#: So many times what a file makes here that has the system to itself: beside payments it is slower,
#: and on a faster machine it must not end before they do either.
_TIMES: Final = 1.5


async def run(bench: Workbench) -> None:
    effort = bench.effort
    async with (
        bench.installation(NAME, Product()) as installation,
        running(Product(), installation) as system,
    ):
        await bench.warm_up(system)
        live = partial(
            bench.arrive, NAME, system, TRANSFERS, rate_per_s=PER_S, seconds=effort.rate_s
        )
        await live(case=ALONE)
        async with _file(bench, system) as job:
            decided, started_s = await installation.decided(), time.monotonic()
            await live(case=BESIDE, beside=True)
            taken_s = time.monotonic() - started_s
            lines = await installation.decided() - decided - _payments(effort)
            document = await job.document()
        problem = problem_of(document)
        beside = FileBeside(NAME, system.system.name, BESIDE, taken_s, lines, problem)
        bench.results.besides.append(beside)
        bench.say(f"  the file meanwhile: {beside.rate_per_s:,.0f} lines/s {problem}".rstrip())


@asynccontextmanager
async def _file(bench: Workbench, system: Running) -> AsyncIterator[Job]:
    """A file that is being worked off, and would be for longer than the payments take; cancelled at
    the end of the block."""
    seed, lines = bench.seed(), _lines(bench.effort)
    path = system.installation.home.folder / "bulk.csv"
    bench.say(f"  handing in a file of {lines:,} lines")
    made = await asyncio.to_thread(make, path, system.installation.wallets, lines, seed)
    job = Job(system, made, f"bench-{seed}", bench.say)
    await job.hand_in()
    await job.begun()
    yield job
    bench.say("  cancelling the file")
    await job.cancel()


def problem_of(document: Document) -> str:
    """Why a file that stands so after the payments was not beside all of them, or nothing."""
    status = document["status"]
    return "" if status == "RUNNING" else f"the file was {status} before the payments ended"


def _payments(effort: Effort) -> int:
    """How many the open loop makes, those of its warm-up included."""
    return round(PER_S * (effort.rate_s + effort.warm_up_s))


def _lines(effort: Effort) -> int:
    return round(_TIMES * BULK_PER_S * (effort.rate_s + effort.warm_up_s))


def seconds(effort: Effort) -> float:
    loads = effort.warm_up_s + 2 * (effort.warm_up_s + effort.rate_s)
    decided = _payments(effort) * 2 + _lines(effort) / _TIMES
    return INSTALL_S + START_S + loads + decided / AUDITED_PER_S
