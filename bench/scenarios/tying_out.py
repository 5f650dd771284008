"""The rows of a bank account against as many movements of its control wallet: how long, and with
how much memory."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from bench.bank_account import BankAccount, bank_account, fill
from bench.comparing import COMPARED_PER_S, WRITTEN_PER_S, Case, Report, compared, words
from bench.effort import Effort
from bench.results import ComparisonRun
from bench.running import Running, running
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "tying out"
#: Every so manieth row gets another amount, and then all others.
_OTHER_AMOUNT: Final = 1000
#: The period has to be over by the gateway's clock, and complete.
_LATER_S: Final = 1.0


async def run(bench: Workbench) -> None:
    rows = bench.effort.reconciled
    async with bench.installation(NAME, Product()) as installation:
        bench.say(f"  filling in {rows:,} rows of the bank and their bookings")
        await fill(installation, rows, bench.seed())
        await installation.settle()
        async with (
            running(Product(reconciles=True), installation) as system,
            bank_account(installation) as account,
        ):
            await _all_cases(bench, system, account, rows)


async def _all_cases(bench: Workbench, system: Running, account: BankAccount, rows: int) -> None:
    different = 0
    for what, every, but_every in (
        ("all agree", rows + 1, 1),
        (f"one in {_OTHER_AMOUNT} different", _OTHER_AMOUNT, rows + 1),
        ("all different", 1, _OTHER_AMOUNT),
    ):
        different += await account.change(every, but_every)
        case = Case(NAME, f"{rows} bank rows, {what}", rows)
        done = await _measured(system, account, case, different)
        bench.results.comparisons.append(done)
        bench.say(words(done))


async def _measured(
    system: Running, account: BankAccount, case: Case, different: int
) -> ComparisonRun:
    await asyncio.sleep(_LATER_S)
    now = datetime.now(UTC) - timedelta(seconds=_LATER_S / 2)
    await account.look()
    body = {
        "kind": "BANK",
        "periodFrom": (now - timedelta(days=1)).isoformat(),
        "periodTo": now.isoformat(),
    }
    asking = system.http.post("/v1/reconciliations", json=body)
    return await compared(system, case, asking, partial(_problem_of, different))


def _problem_of(different: int, report: Report) -> str:
    """It did not find what was there to be found."""
    expected = {"AMOUNT": different, "BALANCE": 1} if different else {}
    if report["differences"] != expected:
        return f"it found {report['differences']}, not {expected}"
    return "" if report["agrees"] == (not different) else f"it says {report['agrees']}"


def seconds(effort: Effort) -> float:
    rows = effort.reconciled
    made_s = rows / FILLED_PER_S + rows / AUDITED_PER_S
    return INSTALL_S + START_S + made_s + 3 * rows / COMPARED_PER_S + rows / WRITTEN_PER_S
