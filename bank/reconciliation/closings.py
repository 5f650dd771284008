"""Whether statements are there, and what files of them leave open where a bank has no API."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import asyncpg

from bank.reconciliation.bank_rows import Finding, to_do
from bank.reconciliation.doubts import Doubt, is_let_go
from bank.reconciliation.eclipse import NotComplete, Row
from bank.sql import TIE_OUTS as SQL
from ledger.money import exponent_of, format_minor


def require_fetched(accounts: Sequence[Row]) -> None:
    """All that are followed. One that was let go is told as it was known last. Raises
    ``NotComplete``."""
    missing = [each for each in accounts if not (each["complete"] or is_let_go(each))]
    if missing:
        named = ", ".join(_waiting_for(each) for each in missing)
        ids = [each["account_id"] for each in missing]
        raise NotComplete(f"the statement of {named} has to be fetched first", ids)


def _waiting_for(account: Row) -> str:
    """The account, and of which day a file has to be handed in, where that is known."""
    day, account_id = account["missing_day"], str(account["account_id"])
    return account_id if day is None else f"{account_id} (no file accounts for {day})"


async def closing_doubts(connection: asyncpg.Connection[Any], account: Row) -> list[Doubt]:
    """Whether the file that proves the period closes with what all rows by then add up to. Between
    its own entries that is so; but it may have none."""
    closing, opening = account["closing_minor"], account["opening_minor"]
    if closing is None or opening is None:
        return []
    account_id, day = account["account_id"], account["closing_day"]
    stop = day + timedelta(days=1)
    (rows,) = await connection.fetch(SQL.rows, account_id, stop, stop)
    counted = opening + rows["minor"]
    if counted == closing:
        return []
    digits = exponent_of(account["currency"])
    document = {
        "accountId": account_id,
        "postingDate": day.isoformat(),
        "amount": format_minor(closing, digits),
        "moved": format_minor(counted, digits),
        "detail": f"the statement file {account['statement_id']} closes with"
        f" {format_minor(closing, digits)}, rows add up to {format_minor(counted, digits)}",
        "whatToDo": to_do(Finding.BALANCE, None),
    }
    return [Doubt(Finding.BALANCE, document)]
