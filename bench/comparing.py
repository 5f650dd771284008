"""One reconciliation on a running system: how long it takes, and with how much memory."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import httpx

from bench.results import ComparisonRun
from bench.running import Running
from cli.reconcile_calls import ENDED

#: A request is given up after so long; an extract of a million lines takes seconds.
START_LIMIT_S: Final = 60.0
#: Rows per second, for telling beforehand: compared, and written down where all of them differ.
COMPARED_PER_S: Final = 25_000
WRITTEN_PER_S: Final = 20_000

Report = dict[str, Any]

_PROCESS: Final = "reconciler"
_SESSION: Final = "its database session"
_SAMPLE_EVERY_S: Final = 0.1
#: One that is slower than this has stopped.
_SLOWEST_PER_S: Final = 2_000
#: Its session, and those that help it.
_BACKENDS: Final = "SELECT pid FROM pg_stat_activity WHERE application_name = 'sov-reconciler'"


@dataclass(frozen=True, slots=True)
class Case:
    scenario: str
    name: str
    rows: int
    """On either side."""
    mib: float = 0.0
    """Of the extract."""


async def compared(
    system: Running,
    case: Case,
    asking: Awaitable[httpx.Response],
    problem_of: Callable[[Report], str],
) -> ComparisonRun:
    """Wait for what was asked for. ``problem_of`` says why the figures are worth nothing, where the
    report is not what it should be. Raises ``Ended``, ``TimeoutError`` or an error of the call."""
    async with _sampled(system) as peaks:
        started_s = time.monotonic()
        answer = (await asking).raise_for_status()
        path = f"/v1/reconciliations/{answer.json()['reconciliationId']}"
        accepted_s = time.monotonic()
        document = await _ended(system, path, case.rows)
        ended_s = time.monotonic()
    problem = f"it is {document['status']}: {document['reason']}"
    if document["status"] == "DONE":
        accept = {"Accept": "application/json"}
        problem = problem_of((await system.http.get(f"{path}/report", headers=accept)).json())
    return ComparisonRun(
        scenario=case.scenario,
        system=system.system.name,
        case=case.name,
        lines=case.rows,
        mib=case.mib,
        accepting_s=accepted_s - started_s,
        comparing_s=ended_s - accepted_s,
        peak_mib=peaks,
        problem=problem,
    )


def words(run: ComparisonRun) -> str:
    """For whoever looks on."""
    peaks = ", ".join(f"{name} {mib:.0f} MiB" for name, mib in run.peak_mib.items())
    return (
        f"  {run.case}: accepted after {run.accepting_s:.1f} s, compared after"
        f" {run.comparing_s:.1f} s more, {peaks} {run.problem}"
    )


async def _ended(system: Running, path: str, rows: int) -> dict[str, Any]:
    async with asyncio.timeout(START_LIMIT_S + rows / _SLOWEST_PER_S):
        while True:
            system.require_alive()
            document: dict[str, Any] = (await system.http.get(path)).raise_for_status().json()
            if document["status"] in ENDED:
                return document
            await asyncio.sleep(_SAMPLE_EVERY_S)


@asynccontextmanager
async def _sampled(system: Running) -> AsyncIterator[dict[str, float]]:
    """The most that the process held until the end of the block, and its database session beside
    it: what is shared by all sessions not counted."""
    peaks = {_PROCESS: 0.0, _SESSION: 0.0}
    watched = asyncio.Event()

    async def sample() -> None:
        async with system.installation.servers.administrator(system.installation.name) as books:
            while True:
                resident, _ = await asyncio.to_thread(system.memory)
                peaks[_PROCESS] = max(peaks[_PROCESS], resident[_PROCESS])
                pids = [row["pid"] for row in await books.fetch(_BACKENDS)]
                own = await asyncio.to_thread(_own_mib, pids)
                peaks[_SESSION] = max(peaks[_SESSION], own)
                watched.set()
                await asyncio.sleep(_SAMPLE_EVERY_S)

    sampling = asyncio.create_task(sample())
    await watched.wait()
    try:
        yield peaks
    finally:
        sampling.cancel()
        await asyncio.wait({sampling})


def _own_mib(pids: Iterable[int]) -> float:
    """Memory that processes share with nobody."""
    kib = 0
    for pid in pids:
        with suppress(OSError):  # it has ended meanwhile
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            kib += sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return kib / 1024
