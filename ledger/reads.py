"""Questions to the books, for whoever may only read them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger import lookup
from ledger.database import Queries
from ledger.outcomes import Outcome
from ledger.records import Entry, Reservation, Transfer, WalletState
from ledger.sql import READS as SQL

#: Smaller than every id: where a list begins.
FIRST_ID: Final = UUID(int=0)

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)


class BalanceNow(NamedTuple):
    state: WalletState
    as_of: datetime


class BalanceThen(NamedTuple):
    currency: str
    current_minor: int


class Stretch(NamedTuple):
    """A part of a wallet's history: sequences from ``first`` to before ``end``."""

    first: int
    end: int


class CommandState(NamedTuple):
    outcome: Outcome | None
    partition_decided_at: datetime
    """Whoever decides in the command's partition from now on decides later than this."""


class Times(NamedTuple):
    now: datetime
    """The database's clock."""
    decided_at: datetime
    """The time of the latest decision. Nothing is decided earlier in its partition: where the clock
    was put back, the partitions' time stands still until the clock has caught up."""
    is_standby: bool
    """The server cannot be written to: the primary is another one, or there is none."""


async def times(connection: Queries) -> Times:
    row = await connection.fetchrow(SQL.clock)
    return Times(row["now"], row["decided_at"] or row["now"], row["is_standby"])


async def complete_until(connection: Queries) -> datetime:
    """No entry older than this can still appear. Read it before the entries it is shown with."""
    moment: datetime = await connection.fetchval(SQL.complete_until)
    return moment


async def wallet_ids(connection: Queries, external_ids: Sequence[str]) -> dict[str, UUID]:
    rows = await connection.fetch(SQL.wallet_ids, external_ids)
    return {row["external_unique_id"]: row["wallet_id"] for row in rows}


async def wallet(connection: Queries, wallet_id: UUID) -> BalanceNow | None:
    row = await connection.fetchrow(SQL.wallet, wallet_id)
    return None if row is None else BalanceNow(lookup.wallet_state(row), row["now"])


async def wallets(connection: Queries, *, after: UUID, limit: int) -> list[WalletState]:
    """A page of all wallets, by id."""
    rows = await connection.fetch(SQL.wallets, after, limit)
    return await _in_order(connection, [row["wallet_id"] for row in rows])


async def find_wallets(
    connection: Queries, *, external_unique_id: str | None, reference: str | None
) -> list[WalletState]:
    """The wallet that has all the names that are given: one or none."""
    found = set()
    if external_unique_id is not None:
        found.add((await wallet_ids(connection, [external_unique_id])).get(external_unique_id))
    if reference is not None:
        found.add(await connection.fetchval(SQL.wallet_of_reference, reference))
    if len(found) != 1 or None in found:
        return []
    return await _in_order(connection, [w for w in found if w is not None])


async def _in_order(connection: Queries, ids: Sequence[UUID]) -> list[WalletState]:
    states = await lookup.wallets(connection, ids)
    return [states[i] for i in ids]


async def balance_at(connection: Queries, wallet_id: UUID, moment: datetime) -> BalanceThen | None:
    """The current balance then, entries of that very moment included; None without the wallet."""
    row = await connection.fetchrow(SQL.balance_at, wallet_id, moment)
    return None if row is None else BalanceThen(row["currency"], row["balance_minor"])


async def stretch(
    connection: Queries,
    wallet_id: UUID,
    *,
    date_from: datetime | None,
    date_to: datetime | None,
    after_sequence: int = 0,
) -> Stretch | None:
    """Which sequences fall into a half-open time range; None where there is no such wallet."""
    end = await connection.fetchval(SQL.first_sequence, wallet_id, date_to or _END_OF_TIME)
    if end is None:
        return None
    first = 1
    if date_from is not None:
        first = await connection.fetchval(SQL.first_sequence, wallet_id, date_from)
    return Stretch(max(first, after_sequence + 1), end)


async def entries(
    connection: Queries,
    wallet_id: UUID,
    part: Stretch,
    *,
    descending: bool,
    limit: int,
    offset: int = 0,
) -> list[Entry]:
    statement = SQL.entries_descending if descending else SQL.entries_ascending
    rows = await connection.fetch(statement, wallet_id, part.first, part.end, limit, offset)
    return [_entry(row) for row in rows]


async def transfer(connection: Queries, transfer_id: UUID) -> Transfer | None:
    return (await lookup.transfers(connection, [transfer_id])).get(transfer_id)


async def transfer_of_key(connection: Queries, external_unique_id: str) -> Transfer | None:
    transfer_id = await connection.fetchval(SQL.transfer_of_key, external_unique_id)
    return None if transfer_id is None else await transfer(connection, transfer_id)


async def live_reservations(
    connection: Queries,
    wallet_id: UUID,
    *,
    session_id: str | None = None,
    reservation_id: UUID | None = None,
    after: UUID = FIRST_ID,
    limit: int = 1,
) -> list[Reservation]:
    """Those that still hold funds, by the clock."""
    rows = await connection.fetch(
        SQL.live_reservations, wallet_id, session_id, reservation_id, after, limit
    )
    return [Reservation(**row) for row in rows]


async def command_state(
    connection: Queries, command_id: UUID, layout: int, partition: int
) -> CommandState | None:
    """None where the books have no layout."""
    row = await connection.fetchrow(SQL.command, command_id, layout, partition)
    if row["decided_at"] is None:
        return None
    outcome = None
    if row["decided"]:
        outcome = (await lookup.outcomes(connection, [command_id]))[command_id]
    return CommandState(outcome, row["decided_at"])


def _entry(row: Any) -> Entry:
    debit = row["amount_minor"] < 0
    return Entry(
        wallet_id=row["wallet_id"],
        sequence=row["sequence"],
        transfer_id=row["transfer_id"],
        amount_minor=row["amount_minor"],
        balance_minor=row["balance_minor"],
        counterparty_wallet_id=row["to_wallet_id"] if debit else row["from_wallet_id"],
        external_unique_id=row["external_unique_id"],
        created=row["created"],
        description=row["description"],
        external_id=row["external_id"],
        session_id=row["session_id"],
    )
