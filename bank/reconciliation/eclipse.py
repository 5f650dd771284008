"""An extract of Eclipse's transactions against the transfers of a period, in one snapshot.

The extract is staged first, outside the snapshot: it does not change. Then the books are looked at
as they are at one moment: the transfers of the period are gathered, both sides are joined by key in
the database, and only what differs comes here, a cursor's stretch at a time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import asyncpg

from bank.reconciliation.bridge import Bridge, Term, major
from bank.reconciliation.extract import State
from bank.reconciliation.found import Found
from bank.reconciliation.requests import MadeBy, Request
from bank.reconciliation.staging import Staged
from bank.reconciliation.verdicts import Here, There, findings, to_do
from bank.sql import COMPARISONS as SQL
from ledger.money import exponent_of, format_minor
from topology.documents import Document, timestamp

_AT_A_TIME: Final = 2000

Row = Mapping[str, Any]


class NotComplete(Exception):
    """What happened in the period can still grow: compare later. The text says until when it is
    complete; ``accounts`` are those whose statement has to be fetched for that."""

    def __init__(self, problem: str, accounts: Sequence[str] = ()) -> None:
        super().__init__(problem)
        self.accounts = accounts


async def compare(
    connection: asyncpg.Connection[Any], request: Request, staged: Staged, found: Found
) -> Document:
    """The report; what differs goes to ``found``. Raises ``NotComplete``, ``Superseded``."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        moment = await require_complete(connection, request)
        transfers = await _gather(connection, request)
        comparison = _Comparison(connection, found)
        await comparison.run()
        states = await comparison.add_totals()
    return {
        "kind": request.order.kind.value,
        "madeBy": None if request.order.made_by is None else request.order.made_by.value,
        **moment,
        "extract": {
            "lines": staged.lines + staged.unreadable,
            "unreadable": staged.unreadable,
            "states": states,
        },
        "transfers": transfers,
        "currencies": comparison.bridge.documents(),
        "unexplained": bool(comparison.bridge.unexplained()),
    }


async def require_complete(
    connection: asyncpg.Connection[Any], request: Request
) -> dict[str, object]:
    """What a report says about its snapshot, which this opens where a transaction has begun. Raises
    ``NotComplete``."""
    (row,) = await connection.fetch(SQL.moment)
    until: datetime = row["complete_until"]
    if until < request.order.period_to:
        raise NotComplete(f"the books are complete until {timestamp(until)} only")
    return {"snapshotAt": timestamp(row["now"]), "completeUntil": timestamp(until)}


async def _gather(connection: asyncpg.Connection[Any], request: Request) -> int:
    """Stage the transfers of the period; answers how many there are."""
    order = request.order
    actors = None
    if order.made_by is not MadeBy.ANYBODY:
        actors = [row["key_id"] for row in await connection.fetch(SQL.eclipse_keys)]
    stretches = await connection.fetch(SQL.stretches, [order.period_from, order.period_to])
    columns = [[row[name] for row in stretches] for name in ("partition", "first", "stop")]
    done = await connection.execute(SQL.gather, *columns, actors)
    await connection.execute("ANALYZE period_transfers")
    return int(done.rpartition(" ")[2])


class _Comparison:
    def __init__(self, connection: asyncpg.Connection[Any], found: Found) -> None:
        self._connection, self._found = connection, found
        self.bridge = Bridge()

    async def add_totals(self) -> dict[str, int]:
        """Both ends of the bridge; answers how many lines the extract has by state."""
        for row in await self._connection.fetch(SQL.transfers_by_currency):
            moved = major(int(row["minor"]), row["currency"])
            self.bridge.add(Term.HERE, row["currency"], moved, row["transfers"])
        states = {state.value: 0 for state in State}
        for row in await self._connection.fetch(SQL.lines_by_state):
            states[row["state"]] += row["lines"]
            if row["state"] == State.DONE:
                self.bridge.add(Term.THERE, row["currency"], row["amount"], row["lines"])
        return states

    async def run(self) -> None:
        currencies = await self._connection.fetch(SQL.transfers_by_currency)
        codes = [row["currency"] for row in currencies]
        units = [10 ** exponent_of(code) for code in codes]
        cursor = await self._connection.cursor(SQL.pairs, codes, units)
        while rows := await cursor.fetch(_AT_A_TIME):
            await self._take(rows)

    async def _take(self, rows: Sequence[Row]) -> None:
        elsewhere = await self._elsewhere(rows)
        heres = [_here(row) or elsewhere.get(row["key"]) for row in rows]
        theres = [_there(row) for row in rows]
        reversed_minor = await self._reversed(theres, heres)
        names = await self._names([here for here in heres if here is not None])
        for row, there, plain in zip(rows, theres, heres, strict=True):
            here = plain and _with_reversals(plain, reversed_minor)
            if there is not None and not there.first:
                here = None
            in_period = row["transfer_id"] is not None
            self.bridge.add_pair(there, here, row["line_currency"], in_period=in_period)
            for finding in findings(there, here):
                document = _document(there, here, names)
                document["whatToDo"] = to_do(finding, there)
                await self._found.add(finding, document)

    async def _elsewhere(self, rows: Sequence[Row]) -> dict[str, Here]:
        """Lines whose transfer is not among the gathered ones may have one all the same."""
        keys = [row["key"] for row in rows if row["transfer_id"] is None and row["rank"] == 1]
        if not keys:
            return {}
        found = await self._connection.fetch(SQL.elsewhere, keys)
        return {row["key"]: _transfer(row, row["key"]) for row in found}

    async def _reversed(
        self, theres: Sequence[There | None], heres: Sequence[Here | None]
    ) -> dict[UUID, int]:
        ids = [
            here.transfer_id
            for there, here in zip(theres, heres, strict=True)
            if here and there and there.state is State.REVERSED
        ]
        if not ids:
            return {}
        rows = await self._connection.fetch(SQL.reversed, ids)
        return {row["transfer_id"]: row["minor"] for row in rows}

    async def _names(self, heres: Sequence[Here]) -> dict[UUID, str]:
        ids = list({each for here in heres for each in (here.from_id, here.to_id)})
        rows = await self._connection.fetch(SQL.names, ids) if ids else ()
        return {row["wallet_id"]: row["external_unique_id"] for row in rows}


def _there(row: Row) -> There | None:
    if row["line"] is None:
        return None
    return There(
        line=row["line"],
        key=row["key"],
        from_wallet=str(row["line_from"] or row["from_name"]),
        to_wallet=str(row["line_to"] or row["to_name"]),
        from_id=row["from_id"],
        to_id=row["to_id"],
        amount=row["amount"],
        currency=row["said_currency"],
        happened=row["happened"],
        state=State(row["state"]),
        first=row["rank"] == 1,
    )


def _here(row: Row) -> Here | None:
    return None if row["transfer_id"] is None else _transfer(row, row["transfer_key"])


def _transfer(row: Row, key: str) -> Here:
    return Here(
        transfer_id=row["transfer_id"],
        key=key,
        from_id=row["from_wallet_id"],
        to_id=row["to_wallet_id"],
        amount_minor=row["amount_minor"],
        currency=row["currency"],
        created=row["created"],
    )


def _with_reversals(here: Here, reversed_minor: Mapping[UUID, int]) -> Here:
    minor = reversed_minor.get(here.transfer_id)
    return here if minor is None else here._replace(reversed_minor=minor)


def _document(there: There | None, here: Here | None, names: Mapping[UUID, str]) -> Document:
    key = there.key if there is not None else here and here.key
    return {
        "externalUniqueId": key,
        "line": there and there.line,
        "transferId": here and str(here.transfer_id),
        "there": there and _line_document(there),
        "here": here and _transfer_document(here, names),
        "detail": None,
    }


def _line_document(there: There) -> Document:
    return {
        "fromWallet": there.from_wallet,
        "toWallet": there.to_wallet,
        "amount": f"{there.amount:f}",
        "currency": there.currency,
        "time": None if there.happened is None else timestamp(there.happened),
        "status": there.state.value,
    }


def _transfer_document(here: Here, names: Mapping[UUID, str]) -> Document:
    digits = exponent_of(here.currency)
    return {
        "fromWalletId": str(here.from_id),
        "fromExternalUniqueId": names.get(here.from_id),
        "toWalletId": str(here.to_id),
        "toExternalUniqueId": names.get(here.to_id),
        "amount": format_minor(here.amount_minor, digits),
        "currency": here.currency,
        "created": timestamp(here.created),
    }
