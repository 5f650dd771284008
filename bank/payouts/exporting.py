"""Writing payouts into a file that a person uploads, so that each is asked for in one way only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

import asyncpg
import uuid_utils.compat
from asyncpg.pool import PoolConnectionProxy

from bank.payouts import orders
from bank.payouts.approvals import Person
from bank.payouts.files import KINDS, Debtor, Format
from bank.sql import PAYOUTS as SQL
from ledger.database import Queries

#: In one file: it is written at once, and read by a person.
MOST_IN_A_FILE: Final = 1000
_REASON: Final = "in a payment file that a person uploads to the bank"

if TYPE_CHECKING:
    Connection = asyncpg.Connection[Any] | PoolConnectionProxy[Any]


class NothingToExport(Exception):
    """No payout that a file may carry; the text says which there are."""


@dataclass(frozen=True, slots=True)
class Export:
    export_id: UUID
    account_id: str
    format: Format
    payouts: int
    total_minor: int
    currency: str
    maker: Person
    made: datetime


@dataclass(frozen=True, slots=True)
class File:
    export: Export
    content: bytes


async def export(
    connection: Connection,
    form: Format,
    debtor: Debtor,
    account_id: str,
    person: Person,
    payout_ids: Sequence[UUID] | None,
) -> Export:
    """Write a file of the account's payouts: those that the bank has no beneficiary for, the oldest
    ``MOST_IN_A_FILE`` of them; or these and all of these. From the same moment on they are with the
    bank, as far as we are concerned. Raises ``NothingToExport``."""
    async with connection.transaction():
        rows = await connection.fetch(SQL.exportable, account_id, payout_ids, MOST_IN_A_FILE)
        found = [orders.read(row) for row in rows]
        missing = set(payout_ids or ()) - {payout.payout_id for payout in found}
        if missing:
            raise NothingToExport(
                "not HELD or AWAITING_BENEFICIARY, not of this account, or of a frozen wallet:"
                f" {', '.join(sorted(map(str, missing)))}"
            )
        if not found:
            raise NothingToExport("no payout whose wallet can pay awaits its beneficiary here")
        export_id, made = uuid_utils.compat.uuid7(), datetime.now(UTC)
        content = await asyncio.to_thread(KINDS[form].write, export_id, made, debtor, found)
        total_minor = sum(payout.order.amount_minor for payout in found)
        await connection.fetch(
            SQL.export,
            *(export_id, account_id, form.value, len(found), total_minor, debtor.currency),
            *(content, person.key_id, person.owner),
        )
        ids = [payout.payout_id for payout in found]
        marked = await connection.fetch(
            SQL.exported, ids, export_id, person.key_id, person.owner, _REASON
        )
        if len(marked) != len(ids):
            raise RuntimeError("a payout that was locked has changed its state")
    return Export(
        *(export_id, account_id, form, len(found), total_minor, debtor.currency, person, made)
    )


async def page(connection: Queries, *, before: UUID, limit: int) -> list[Export]:
    """The latest first."""
    return [_read(row) for row in await connection.fetch(SQL.exports, before, limit)]


async def file(connection: Queries, export_id: UUID) -> File | None:
    """The very bytes that were written."""
    row = await connection.fetchrow(SQL.exported_file, export_id)
    return None if row is None else File(_read(row), row["content"])


def _read(row: Mapping[str, Any]) -> Export:
    return Export(
        export_id=row["export_id"],
        account_id=row["account_id"],
        format=Format(row["format"]),
        payouts=row["payouts"],
        total_minor=row["total_minor"],
        currency=row["currency"],
        maker=Person(row["key_id"], row["owner"]),
        made=row["made"],
    )
