"""An extract of Eclipse's against as many transfers: how long, and with how much memory."""

from __future__ import annotations

import asyncio
import csv
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from bench.effort import Effort
from bench.filling import filling
from bench.installation import Installation
from bench.results import ComparisonRun
from bench.running import Running, running
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench
from cli.reconcile_calls import ENDED
from cli.servers.postgres_conf import MEBIBYTE
from ledger.database import connect_owner

NAME: Final = "reconciling"
PROCESS: Final = "reconciler"
#: Every so manieth line of the extract has another amount, and is not there at all.
_OTHER_AMOUNT: Final = 1000
_LEFT_OUT: Final = 999
_HEADER: Final = ("externalUniqueId", "fromWalletId", "toWalletId", "amount", "time", "status")
_PIECE: Final = 256 * 1024
_SAMPLE_EVERY_S: Final = 0.1
#: The period has to be over by the gateway's clock, and complete.
_LATER_S: Final = 1.0
_START_LIMIT_S: Final = 60.0
#: One that is slower than this has stopped.
_SLOWEST_PER_S: Final = 2_000
_COMPARED_PER_S: Final = 25_000
_EXTRACT: Final = (
    "SELECT external_unique_id, from_wallet_id, to_wallet_id, amount_minor, created"
    " FROM sov.transfers ORDER BY external_unique_id"
)
_BACKEND: Final = (
    "SELECT pid FROM pg_stat_activity WHERE application_name = 'sov-reconciler' LIMIT 1"
)


@dataclass(slots=True)
class _Made:
    path: Path
    lines: int = 0
    different: int = 0
    left_out: int = 0


async def run(bench: Workbench) -> None:
    async with bench.installation(NAME, Product()) as installation:
        bench.say(f"  filling up to {bench.effort.reconciled:,} transfers")
        async with filling(installation) as filler:
            await filler.transfers(bench.effort.reconciled, bench.seed())
        await installation.settle()
        made = await _extract(installation)
        async with running(Product(reconciles=True), installation) as system:
            bench.results.comparisons.append(await _measured(bench, system, made))


async def _extract(installation: Installation) -> _Made:
    """As Eclipse would write it, in another order than that of time."""
    made = _Made(installation.home.folder / "extract.csv")
    connection = await connect_owner(installation.access.owner)
    try:
        with made.path.open("w") as file:
            lines = csv.writer(file)
            lines.writerow(_HEADER)
            async with connection.transaction():
                async for row in connection.cursor(_EXTRACT, prefetch=10_000):
                    _write(lines, made, row)
    finally:
        await connection.close()
    return made


def _write(lines: Any, made: _Made, row: Any) -> None:
    number = made.lines + made.left_out
    if number % _LEFT_OUT == 0:
        made.left_out += 1
        return
    minor = row["amount_minor"]
    if number % _OTHER_AMOUNT == 0:
        minor += 1
        made.different += 1
    made.lines += 1
    key, source, target = row["external_unique_id"], row["from_wallet_id"], row["to_wallet_id"]
    lines.writerow((key, source, target, f"{minor / 100:.2f}", row["created"].isoformat(), "DONE"))


async def _measured(bench: Workbench, system: Running, made: _Made) -> ComparisonRun:
    await asyncio.sleep(_LATER_S)
    now = datetime.now(UTC) - timedelta(seconds=_LATER_S / 2)
    query = {
        "kind": "ECLIPSE",
        "madeBy": "anybody",
        "periodFrom": (now - timedelta(days=1)).isoformat(),
        "periodTo": now.isoformat(),
    }
    async with _sampled(system) as peaks:
        started_s = time.monotonic()
        answer = await system.http.post(
            "/v1/reconciliations",
            params=query,
            content=_pieces(made.path),
            headers={"Content-Type": "text/csv"},
            timeout=_START_LIMIT_S,
        )
        path = f"/v1/reconciliations/{answer.raise_for_status().json()['reconciliationId']}"
        accepted_s = time.monotonic()
        document = await _ended(system, path, made.lines)
        ended_s = time.monotonic()
    report = {}
    if document["status"] == "DONE":
        accept = {"Accept": "application/json"}
        report = (await system.http.get(f"{path}/report", headers=accept)).json()
    done = ComparisonRun(
        scenario=NAME,
        system=system.system.name,
        case=f"{made.lines} lines",
        lines=made.lines,
        mib=made.path.stat().st_size / MEBIBYTE,
        accepting_s=accepted_s - started_s,
        comparing_s=ended_s - accepted_s,
        peak_mib=peaks,
        problem=_problem_of(document, report, made),
    )
    bench.say(
        f"  accepted after {done.accepting_s:.1f} s, compared after {done.comparing_s:.1f} s more,"
        f" {', '.join(f'{name} {mib:.0f} MiB' for name, mib in peaks.items())} {done.problem}"
    )
    return done


def _problem_of(document: dict[str, Any], report: dict[str, Any], made: _Made) -> str:
    """Why the figures are worth nothing: it did not find what was there to be found."""
    if document["status"] != "DONE":
        return f"it is {document['status']}: {document['reason']}"
    found = report["differences"]
    if found.get("AMOUNT") != made.different or set(found) - {"AMOUNT", "MISSING_THERE"}:
        return f"it found {found}, not {made.different} other amounts"
    # The probe of a system that was just started is in nobody's extract either.
    if not made.left_out <= found.get("MISSING_THERE", 0) <= made.left_out + 1:
        return f"it found {found}, not {made.left_out} that are left out"
    return "" if not report["unexplained"] else "its sums do not agree"


async def _ended(system: Running, path: str, lines: int) -> dict[str, Any]:
    async with asyncio.timeout(_START_LIMIT_S + lines / _SLOWEST_PER_S):
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
    peaks = {PROCESS: 0.0, "its database session": 0.0}
    watched = asyncio.Event()

    async def sample() -> None:
        async with system.installation.servers.administrator(system.installation.name) as books:
            while True:
                resident, _ = await asyncio.to_thread(system.memory)
                peaks[PROCESS] = max(peaks[PROCESS], resident[PROCESS])
                pid = await books.fetchval(_BACKEND)
                if pid is not None:
                    own = await asyncio.to_thread(_own_mib, pid)
                    peaks["its database session"] = max(peaks["its database session"], own)
                watched.set()
                await asyncio.sleep(_SAMPLE_EVERY_S)

    sampling = asyncio.create_task(sample())
    await watched.wait()
    try:
        yield peaks
    finally:
        sampling.cancel()
        await asyncio.wait({sampling})


def _own_mib(pid: int) -> float:
    """Memory that a process shares with nobody."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:  # it has ended meanwhile
        return 0.0
    kib = sum(int(line.split()[1]) for line in lines if line.startswith("RssAnon:"))
    return kib / 1024


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, _PIECE):
            yield piece
    finally:
        file.close()


def seconds(effort: Effort) -> float:
    rows = effort.reconciled
    made_s = rows / FILLED_PER_S + rows / AUDITED_PER_S
    return INSTALL_S + START_S + made_s + 2 * rows / _COMPARED_PER_S
