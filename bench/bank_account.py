"""A bank account in the books: a statement of many rows and the booking of each, without a bank.

The bookings are commands like those of the bank process; what that would have kept about the rows
is made from them afterwards.
"""

from __future__ import annotations

import dataclasses
import random
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import asyncpg
import uuid_utils.compat

from bench.filling import Filler, filling
from bench.installation import Installation
from ledger.commands import CreateWallet, PostTransfer, WalletRef
from ledger.database import SCHEMA
from ledger.kept import KEEPER
from ledger.records import WalletType
from ledger.sql.statements import Statements


@dataclasses.dataclass(frozen=True, slots=True)
class _Sql(Statements):
    follow: str
    store: str
    look: str
    change: str


_SQL: Final = _Sql.load("bench", "bank_account")
_ACCOUNT: Final = "bench-account"
_CURRENCY: Final = "ZAR"
#: Of so many rows one is paid out, and one is a fee of the bank's.
_PAID_OUT: Final = 10
_FEE: Final = 50
#: Of the statement.
_ROWS_PER_DAY: Final = 4_000
_MOST_CENTS: Final = 100_000


class BankAccount:
    """One that is followed, on an administrator's connection."""

    def __init__(self, connection: asyncpg.Connection[Any]) -> None:
        self._connection = connection

    async def look(self) -> None:
        """The bank is asked, and tells nothing new: the rows are complete until now."""
        await self._connection.execute(_SQL.look, _ACCOUNT)

    async def change(self, every: int, but_every: int) -> int:
        """Give every so manieth row another amount, but for those that have one; answers how many
        rows that are."""
        done = await self._connection.execute(_SQL.change, _ACCOUNT, every, but_every)
        return int(done.rpartition(" ")[2])


async def fill(installation: Installation, rows: int, seed: int) -> None:
    """So many rows, each booked, and a bank that shows what they add up to."""
    async with filling(installation, KEEPER) as filler:
        control = await _wallet(filler, "control", WalletType.SYSTEM)
        suspense = await _wallet(filler, "suspense", WalletType.STANDARD)
        charges = await _wallet(filler, "charges", WalletType.SYSTEM)
        others = [UUID(wallet) for wallet in installation.wallets]
        chance = random.Random(seed)  # noqa: S311 - reproducible load, no secret
        await filler.posted(_bookings(rows, control, charges, others, chance))
    async with _administrator(installation) as connection:
        await connection.execute(_SQL.follow, _ACCOUNT, _CURRENCY, control, suspense, charges)
        await connection.execute(_SQL.store, _ACCOUNT, rows, _ROWS_PER_DAY)


@asynccontextmanager
async def bank_account(installation: Installation) -> AsyncIterator[BankAccount]:
    """The one that was filled, for the time of the block."""
    async with _administrator(installation) as connection:
        yield BankAccount(connection)


@asynccontextmanager
async def _administrator(installation: Installation) -> AsyncIterator[asyncpg.Connection[Any]]:
    async with installation.servers.administrator(installation.name) as connection:
        await connection.execute(f"SET search_path = {SCHEMA}")
        yield connection


async def _wallet(filler: Filler, name: str, kind: WalletType) -> UUID:
    command = CreateWallet(f"bank-{name}:{_ACCOUNT}", _CURRENCY, kind)
    (wallet,) = [made async for made in filler.created([command])]
    return UUID(wallet)


def _bookings(
    rows: int, control: UUID, charges: UUID, others: Sequence[UUID], chance: random.Random
) -> Iterator[PostTransfer]:
    for number in range(rows):
        source, target = control, chance.choice(others)
        if number % _FEE == 0:
            source, target = charges, control
        elif number % _PAID_OUT == 0:
            source, target = target, control
        yield PostTransfer(
            WalletRef(source),
            WalletRef(target),
            Decimal(chance.randint(1, _MOST_CENTS)) / 100,
            f"bank-row:{uuid_utils.compat.uuid7()}",
            description=f"INTERNET TRF REF {number:08}",
        )
