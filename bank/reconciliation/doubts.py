"""What leaves open whether a statement is all that the bank shows: with it, nothing agrees."""

from __future__ import annotations

from datetime import date
from typing import Any, Final, NamedTuple

import asyncpg

from bank.reconciliation.bank_rows import Finding, place_of, to_do
from bank.reconciliation.eclipse import Row
from bank.sql import TIE_OUTS as SQL
from topology.documents import Document

_BALANCE: Final = "bank balance at its last posted row"
_NONE_TOLD: Final = "not proven: the statement tells no balance; sum of rows"
_NONE_BEHIND: Final = "not proven: last balance told, and rows behind it"


class Doubt(NamedTuple):
    finding: Finding
    document: Document


def balance_term(rows: int, last: Row | None) -> str:
    """What the first term really is: the bank's word, or a sum of ours in its place."""
    if last is None:
        return _NONE_TOLD if rows else _BALANCE
    return _NONE_BEHIND if last["behind_rows"] else _BALANCE


async def doubts(
    connection: asyncpg.Connection[Any], account_id: str, stop: date, rows: int, last: Row | None
) -> list[Doubt]:
    """Of one account, by the day before ``stop``: its rows until then, and the last that tells a
    balance."""
    found = [
        Doubt(
            Finding(record["kind"]),
            {
                "accountId": account_id,
                "exceptionId": str(record["exception_id"]),
                **({} if record["row_id"] is None else place_of(record)),
                "detail": record["detail"],
                "whatToDo": to_do(Finding(record["kind"]), None),
            },
        )
        for record in await connection.fetch(SQL.doubts, account_id, stop)
    ]
    unproven = _unproven(rows, last)
    if unproven is not None:
        place = {} if last is None else place_of(last)
        document = {"accountId": account_id, **place, "detail": unproven}
        document["whatToDo"] = to_do(Finding.NOT_PROVEN, None)
        found.append(Doubt(Finding.NOT_PROVEN, document))
    return found


def _unproven(rows: int, last: Row | None) -> str | None:
    if last is None:
        return "not proven: the statement tells no balance" if rows else None
    behind = last["behind_rows"]
    if not behind:
        return None
    return f"not proven: the statement tells no balance behind this row, and has {behind} more rows"
