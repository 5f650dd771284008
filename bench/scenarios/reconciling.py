"""An extract of Eclipse's against as many transfers: how long, and with how much memory."""

from __future__ import annotations

import asyncio
import csv
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.comparing import (
    COMPARED_PER_S,
    START_LIMIT_S,
    WRITTEN_PER_S,
    Case,
    Report,
    compared,
    words,
)
from bench.effort import Effort
from bench.filling import filling
from bench.installation import Installation
from bench.results import ComparisonRun
from bench.running import Running, running
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench
from cli.servers.postgres_conf import MEBIBYTE
from ledger.database import connect_owner

NAME: Final = "reconciling"
#: Every so manieth line of the extract has another amount, and is not there at all.
_OTHER_AMOUNT: Final = 1000
_LEFT_OUT: Final = 999
_HEADER: Final = ("externalUniqueId", "fromWalletId", "toWalletId", "amount", "time", "status")
_PIECE: Final = 256 * 1024
#: The period has to be over by the gateway's clock, and complete.
_LATER_S: Final = 1.0
_EXTRACT: Final = (
    "SELECT external_unique_id, from_wallet_id, to_wallet_id, amount_minor, created"
    " FROM sov.transfers ORDER BY external_unique_id"
)


@dataclass(slots=True)
class _Made:
    path: Path
    other_amount: int
    """Every so manieth line has one."""
    lines: int = 0
    different: int = 0
    left_out: int = 0

    @property
    def case(self) -> Case:
        what = ", all different" if self.different == self.lines else ""
        mib = self.path.stat().st_size / MEBIBYTE
        return Case(NAME, f"{self.lines} lines{what}", self.lines, mib)


async def run(bench: Workbench) -> None:
    async with bench.installation(NAME, Product()) as installation:
        bench.say(f"  filling up to {bench.effort.reconciled:,} transfers")
        async with filling(installation) as filler:
            await filler.transfers(bench.effort.reconciled, bench.seed())
        await installation.settle()
        made = [await _extract(installation, every) for every in (_OTHER_AMOUNT, 1)]
        async with running(Product(reconciles=True), installation) as system:
            for each in made:
                done = await _measured(system, each)
                bench.results.comparisons.append(done)
                bench.say(words(done))


async def _extract(installation: Installation, other_amount: int) -> _Made:
    """As Eclipse would write it, in another order than that of time."""
    made = _Made(installation.home.folder / f"extract-{other_amount}.csv", other_amount)
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
    if number % made.other_amount == 0:
        minor += 1
        made.different += 1
    made.lines += 1
    key, source, target = row["external_unique_id"], row["from_wallet_id"], row["to_wallet_id"]
    lines.writerow((key, source, target, f"{minor / 100:.2f}", row["created"].isoformat(), "DONE"))


async def _measured(system: Running, made: _Made) -> ComparisonRun:
    await asyncio.sleep(_LATER_S)
    now = datetime.now(UTC) - timedelta(seconds=_LATER_S / 2)
    query = {
        "kind": "ECLIPSE",
        "madeBy": "anybody",
        "periodFrom": (now - timedelta(days=1)).isoformat(),
        "periodTo": now.isoformat(),
    }
    asking = system.http.post(
        "/v1/reconciliations",
        params=query,
        content=_pieces(made.path),
        headers={"Content-Type": "text/csv"},
        timeout=START_LIMIT_S,
    )
    return await compared(system, made.case, asking, partial(_problem_of, made))


def _problem_of(made: _Made, report: Report) -> str:
    """It did not find what was there to be found."""
    found = report["differences"]
    if found.get("AMOUNT") != made.different or set(found) - {"AMOUNT", "MISSING_THERE"}:
        return f"it found {found}, not {made.different} other amounts"
    # The probe of a system that was just started is in nobody's extract either.
    if not made.left_out <= found.get("MISSING_THERE", 0) <= made.left_out + 1:
        return f"it found {found}, not {made.left_out} that are left out"
    return "" if not report["unexplained"] else "its sums do not agree"


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
    return INSTALL_S + START_S + made_s + 3 * rows / COMPARED_PER_S + rows / WRITTEN_PER_S
