"""The rows of the books as they lie in the tables, fetched with plain SQL in one snapshot."""

from __future__ import annotations

import base64
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg


@dataclass(slots=True)
class WalletRow:
    wallet_id: UUID
    external_unique_id: str
    type: str
    currency: str
    minimum_minor: int | None
    balance_minor: int
    last_sequence: int


@dataclass(slots=True)
class TransferRow:
    transfer_id: UUID
    command_id: UUID
    external_unique_id: str
    from_wallet_id: UUID
    to_wallet_id: UUID
    amount_minor: int
    from_sequence: int
    to_sequence: int
    created: datetime
    currency: str
    session_id: str | None
    reversal_of: UUID | None
    group_id: UUID | None


@dataclass(slots=True)
class EntryRow:
    wallet_id: UUID
    sequence: int
    transfer_id: UUID
    amount_minor: int
    balance_minor: int
    created: datetime


@dataclass(slots=True)
class ReservationRow:
    reservation_id: UUID
    wallet_id: UUID
    external_unique_id: str
    session_id: str
    amount_minor: int
    expires: datetime
    created: datetime
    command_id: UUID
    released: datetime | None
    released_by: UUID | None


@dataclass(slots=True)
class GroupRow:
    group_id: UUID
    command_id: UUID
    external_unique_id: str | None


@dataclass(slots=True)
class OutcomeRow:
    partition: int
    number: int
    command_id: UUID
    kind: str
    subject_id: UUID | None
    decided: datetime
    detail: str | None
    actor: str = ""

    @property
    def details(self) -> dict[str, Any]:
        return {} if self.detail is None else dict(json.loads(self.detail))


@dataclass(slots=True)
class RefusedKeyRow:
    key: str
    partition: int
    number: int


@dataclass(slots=True)
class Rows:
    """Everything the auditor looks at."""

    wallets: list[WalletRow] = field(default_factory=list)
    transfers: list[TransferRow] = field(default_factory=list)
    entries: list[EntryRow] = field(default_factory=list)
    reservations: list[ReservationRow] = field(default_factory=list)
    groups: list[GroupRow] = field(default_factory=list)
    outcomes: list[OutcomeRow] = field(default_factory=list)
    refused_keys: list[RefusedKeyRow] = field(default_factory=list)

    def entries_by_wallet(self) -> dict[UUID, list[EntryRow]]:
        """Each wallet's entries along their sequence."""
        found: dict[UUID, list[EntryRow]] = defaultdict(list)
        for entry in self.entries:
            found[entry.wallet_id].append(entry)
        for entries in found.values():
            entries.sort(key=lambda entry: entry.sequence)
        return found


_TABLES: dict[str, tuple[str, type[Any]]] = {
    "wallets": ("wallets", WalletRow),
    "transfers": ("transfers", TransferRow),
    "entries": ("entries", EntryRow),
    "reservations": ("reservations", ReservationRow),
    "groups": ("transfer_groups", GroupRow),
    "outcomes": ("outcomes", OutcomeRow),
    "refused_keys": ("refused_keys", RefusedKeyRow),
}


async def fetch(dsn: str) -> Rows:
    """All rows, as one instant saw them. Raises what asyncpg raises."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        rows = Rows()
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            for name, (table, row_type) in _TABLES.items():
                columns = ", ".join(row_type.__dataclass_fields__)
                found = await connection.fetch(
                    f"SELECT {columns} FROM sov.{table}"  # noqa: S608  names of ours alone
                )
                setattr(rows, name, [row_type(*row) for row in found])
        return rows
    finally:
        await connection.close()


def command_uuid(token: str) -> UUID:
    """The id under which the books know a command: a token is base32 of it and of a checksum."""
    return UUID(bytes=base64.b32decode(token.upper() + "====")[:16])


def minor(amount: str) -> int:
    """An answer's amount in minor units; all money of a run has two digits."""
    return int(Decimal(amount) * 100)


def by_id(rows: Iterable[Any], name: str) -> dict[Any, Any]:
    return {getattr(row, name): row for row in rows}
