"""What leaves open whether a statement is all that the bank shows: with it, nothing agrees."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final, NamedTuple

import asyncpg

from bank.investec.records import bank_day
from bank.reconciliation.bank_rows import Finding, place_of, to_do
from bank.reconciliation.eclipse import Row
from bank.sql import TIE_OUTS as SQL
from ledger.money import exponent_of, format_minor
from topology.documents import Document

_BALANCE: Final = "bank balance at its last posted row"
_NONE_TOLD: Final = "not proven: the statement tells no balance; sum of rows"
_NONE_BEHIND: Final = "not proven: last balance told, and rows behind it"
_LET_GO: Final = "last known bank balance: not followed since"
_LET_GO_TO_DO: Final = (
    "Nobody looks at this account any more, and balances rest on it. Name it again"
    " (SOV_BANK_ACCOUNTS); or, once its money has come to an account that is followed, write that"
    " row off to bank-charges:{account} (./sov suspense write-off ROW --to {wallet} --amount …):"
    " then nothing rests on it."
)


class Doubt(NamedTuple):
    finding: Finding
    document: Document


def is_let_go(account: Row) -> bool:
    """Whether nobody looks at it any more, and nobody has since the moment."""
    return account["followed_until"] is not None and not account["complete"]


def balance_term(account: Row, rows: int, last: Row | None) -> str:
    """What the first term really is: the bank's word, one of long ago, or a sum of ours in its
    place."""
    if is_let_go(account):
        return f"{_LET_GO} {bank_day(account['followed_until'])}"
    if last is None:
        return _NONE_TOLD if rows else _BALANCE
    return _NONE_BEHIND if last["behind_rows"] else _BALANCE


async def doubts(
    connection: asyncpg.Connection[Any],
    account: Row,
    moment: datetime,
    stop: date,
    rows: int,
    last: Row | None,
) -> list[Doubt]:
    """Of one account, by the moment and the day before ``stop``: its rows until then, and the last
    that tells a balance."""
    account_id = account["account_id"]
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
    if is_let_go(account):
        wallets = (account["control_wallet"], account["charges_wallet"])
        unproven = _unseen(account, await connection.fetchval(SQL.rests, *wallets, moment))
    else:
        unproven = _unproven(account_id, rows, last)
    return found if unproven is None else [*found, unproven]


def _unseen(account: Row, rests_minor: int) -> Doubt | None:
    """What balances of others take an account to have that nobody looks at. Where that is nothing,
    what it has matters to nobody."""
    if not rests_minor:
        return None
    account_id, day = account["account_id"], bank_day(account["followed_until"])
    amount = format_minor(rests_minor, exponent_of(account["currency"]))
    document = {
        "accountId": account_id,
        "detail": f"not proven: {amount} rest on it, and it is not followed since {day}",
        "whatToDo": _LET_GO_TO_DO.format(account=account_id, wallet=account["charges_wallet"]),
    }
    return Doubt(Finding.NOT_PROVEN, document)


def _unproven(account_id: str, rows: int, last: Row | None) -> Doubt | None:
    """A sum of ours in the place of the bank's word."""
    if last is None and rows:
        why = "the statement tells no balance"
    elif last is not None and last["behind_rows"]:
        behind = last["behind_rows"]
        why = f"the statement tells no balance behind this row, and has {behind} more rows"
    else:
        return None
    place = {} if last is None else place_of(last)
    document = {"accountId": account_id, **place, "detail": f"not proven: {why}"}
    document["whatToDo"] = to_do(Finding.NOT_PROVEN, None)
    return Doubt(Finding.NOT_PROVEN, document)
