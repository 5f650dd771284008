"""The tie-out with the bank, in one snapshot.

    bank balance at its last posted row, less what was held before the account was followed
      + items in transit, each listed          = - the control wallet's balance
    of all accounts of a currency              = wallets + suspense + other SYSTEM wallets by name

All of it by the end of the period: a balance has no beginning. What the bank booked by itself is
listed for the period alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import asyncpg
import uuid_utils.compat

from bank.reconciliation.bank_rows import (
    Days,
    Finding,
    Pair,
    days_of,
    findings,
    place_of,
    to_do,
    why_in_transit,
)
from bank.reconciliation.closings import closing_doubts, require_fetched
from bank.reconciliation.doubts import balance_term, doubts
from bank.reconciliation.eclipse import Row, require_complete
from bank.reconciliation.found import Found
from bank.reconciliation.requests import Request
from bank.sql import LEADING
from bank.sql import TIE_OUTS as SQL
from ledger.database import Queries
from ledger.money import exponent_of, format_minor
from topology.documents import Document, timestamp

#: Who asks for a statement, and the step of the bank process that fetches it.
ACTOR: Final = "reconciliation"
FEED: Final = "feed"
_AT_A_TIME: Final = 2000
#: Of each list in the report; what is more of it is counted. Differences are all kept.
_LISTED: Final = 1000
_AT_THE_BANK: Final = "in transit: posted by the bank, not in the books by then"
_IN_THE_BOOKS: Final = "in transit: in the books, not posted by the bank by then"
_NO_ROW: Final = "moved on the control wallet without a row of the bank"


class NothingToCompare(Exception):
    """No account was followed that could be meant; the text says so."""


async def compare(connection: asyncpg.Connection[Any], request: Request, found: Found) -> Document:
    """The report; what differs goes to ``found``. Raises ``NotComplete``, ``NothingToCompare``,
    ``Superseded``."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        moment = await require_complete(connection, request)
        days = days_of(request.order)
        accounts = await connection.fetch(
            SQL.accounts, request.order.account_id, request.order.period_to, days.stop
        )
        if not accounts:
            which = request.order.account_id or "no bank account"
            raise NothingToCompare(f"{which} was not followed by the end of the period")
        require_fetched(accounts)
        tied = [await _Account(connection, request, found, days, row).tied() for row in accounts]
        currencies = await _currencies(connection, request, accounts)
    return {
        "kind": request.order.kind.value,
        "accountId": request.order.account_id,
        **moment,
        "accounts": tied,
        "currencies": currencies,
        "unexplained": any(_is_open(each) for each in (*tied, *currencies)),
    }


async def ask_for_statements(queries: Queries, accounts: Sequence[str], moment: datetime) -> None:
    """Have the bank process fetch them now, behind the moment; where they come as files, somebody
    has to bring one."""
    for account_id in accounts:
        fetch_id = uuid_utils.compat.uuid7()
        if await queries.fetchval(SQL.ask_fetch, fetch_id, account_id, ACTOR, moment):
            await queries.fetch(LEADING.wake, FEED)


def _is_open(document: Document) -> bool:
    return bool(document["unexplained"].strip("-0."))


class _Account:
    """One account's part."""

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        request: Request,
        found: Found,
        days: Days,
        account: Row,
    ) -> None:
        self._connection, self._found = connection, found
        self._moment, self._days, self._account = request.order.period_to, days, account
        self._digits = exponent_of(account["currency"])
        self._behind: list[Document] = []
        self._ahead: list[Document] = []
        self._sums: defaultdict[str, int] = defaultdict(int)
        self._counts: defaultdict[str, int] = defaultdict(int)

    async def tied(self) -> Document:
        account_id, control = self._account["account_id"], self._account["control_wallet"]
        opening = self._account["opening_minor"] or 0
        (rows,) = await self._connection.fetch(
            SQL.rows, account_id, self._days.stop, self._days.first
        )
        last = await self._connection.fetchrow(SQL.last_row, account_id, self._days.stop)
        shown = opening + rows["minor"]
        if last is not None:
            shown = last["running_minor"] + last["behind_minor"]
        await self._add_pairs()
        await self._check_balance(shown, opening + rows["minor"], last)
        known = (self._account, self._moment, self._days.stop, rows["rows"], last)
        open_ = await doubts(self._connection, *known)
        open_ += await closing_doubts(self._connection, self._account)
        for each in open_:
            await self._found.add(each.finding, each.document)
        (books,) = await self._connection.fetch(SQL.control, control, self._moment)
        terms = [
            (balance_term(self._account, rows["rows"], last), rows["rows"], shown),
            ("less held before the account was followed", None, -opening),
            *(
                (name, self._counts[name], self._sums[name])
                for name in (_AT_THE_BANK, _IN_THE_BOOKS, _NO_ROW)
            ),
        ]
        left = books["minor"] - sum(minor for _, _, minor in terms)
        terms.append(
            ("owed by the bank: less the control wallet", books["entries"], books["minor"])
        )
        return {
            **self._named(),
            "lastRow": None if last is None else place_of(last),
            "terms": [
                {"term": name, "count": count, "amount": self._written(minor)}
                for name, count, minor in terms
            ],
            "unexplained": self._written(left),
            "inTransit": [*self._behind, *self._ahead],
            "inTransitCount": self._counts[_AT_THE_BANK] + self._counts[_IN_THE_BOOKS],
            "periodRows": rows["period_rows"],
            **await self._charges(rows),
        }

    def _named(self) -> Document:
        account = self._account
        until = account["followed_until"]
        return {
            "accountId": account["account_id"],
            "currency": account["currency"],
            "controlWalletId": str(account["control_wallet"]),
            "controlExternalUniqueId": account["control_name"],
            "followedUntil": None if until is None else timestamp(until),
        }

    async def _add_pairs(self) -> None:
        account_id, control = self._account["account_id"], self._account["control_wallet"]
        cursor = await self._connection.cursor(
            SQL.pairs, account_id, control, self._moment, self._days.stop
        )
        while rows := await cursor.fetch(_AT_A_TIME):
            for row in rows:
                await self._take(Pair._make(row))

    async def _take(self, pair: Pair) -> None:
        minor = pair.in_transit_minor
        if minor and pair.is_ours_alone:
            self._count(_NO_ROW, minor)
        elif minor:
            behind = bool(pair.posted_minor)
            self._count(_AT_THE_BANK if behind else _IN_THE_BOOKS, minor)
            listed = self._behind if behind else self._ahead
            if len(listed) < _LISTED:
                listed.append(self._document(pair, minor) | {"why": why_in_transit(pair)})
        for finding in findings(pair):
            shown = self._document(pair, pair.row_minor or pair.moved_minor)
            document = {
                "accountId": self._account["account_id"],
                **shown,
                "moved": None if pair.transfer_id is None else self._written(pair.moved_minor),
                "detail": pair.problem,
                "whatToDo": to_do(finding, pair),
            }
            await self._found.add(finding, document)

    def _count(self, name: str, minor: int) -> None:
        self._sums[name] += minor
        self._counts[name] += 1

    async def _check_balance(self, shown: int, counted: int, last: Row | None) -> None:
        if last is None or shown == counted:
            return
        document = {
            "accountId": self._account["account_id"],
            **place_of(last),
            "amount": self._written(shown),
            "moved": self._written(counted),
            "detail": f"the bank shows {self._written(shown)}, its rows add up to"
            f" {self._written(counted)}",
            "whatToDo": to_do(Finding.BALANCE, None),
        }
        await self._found.add(Finding.BALANCE, document)

    async def _charges(self, rows: Row) -> Document:
        listed = await self._connection.fetch(
            SQL.charges,
            self._account["account_id"],
            self._days.first,
            self._days.stop,
            _LISTED,
        )
        return {
            "charges": [
                {
                    **place_of(row),
                    "amount": self._written(
                        row["amount_minor"] if row["credit"] else -row["amount_minor"]
                    ),
                    "description": row["description"],
                    "transactionType": row["transaction_type"],
                }
                for row in listed
            ],
            "chargesCount": rows["charges"],
            "chargesAmount": self._written(rows["charges_minor"]),
        }

    def _document(self, pair: Pair, minor: int) -> Document:
        return {
            "rowId": None if pair.row_id is None else str(pair.row_id),
            "postingDate": None if pair.posting_date is None else pair.posting_date.isoformat(),
            "postedOrder": pair.posted_order,
            "amount": self._written(minor),
            "description": pair.description,
            "externalUniqueId": pair.key,
            "transferId": None if pair.transfer_id is None else str(pair.transfer_id),
        }

    def _written(self, minor: int) -> str:
        return format_minor(minor, self._digits)


async def _currencies(
    connection: asyncpg.Connection[Any], request: Request, accounts: Sequence[Row]
) -> list[Document]:
    """What all banks owe us against what we owe everybody, by currency."""
    controls = {row["control_wallet"] for row in accounts}
    suspense = [row["suspense_wallet"] for row in accounts]
    codes = sorted({row["currency"] for row in accounts})
    found = await connection.fetch(SQL.balances, request.order.period_to, suspense, codes)
    documents = []
    for code in codes:
        digits = exponent_of(code)
        rows = [row for row in found if row["currency"] == code]
        owed = -sum(int(row["minor"]) for row in rows if row["wallet_id"] in controls)
        others = [row for row in rows if row["wallet_id"] not in controls]
        documents.append(
            {
                "currency": code,
                "owed": format_minor(owed, digits),
                "terms": [
                    {
                        "term": row["name"] if row["wallet_id"] else "wallets",
                        "walletId": row["wallet_id"] and str(row["wallet_id"]),
                        "type": row["type"] if row["wallet_id"] else None,
                        "count": row["wallets"],
                        "amount": format_minor(int(row["minor"]), digits),
                    }
                    for row in others
                    if row["minor"] or row["wallet_id"] in suspense or not row["wallet_id"]
                ],
                "unexplained": format_minor(
                    owed - sum(int(row["minor"]) for row in others), digits
                ),
            }
        )
    return documents
