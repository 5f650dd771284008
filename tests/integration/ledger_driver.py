"""Driving ``execute`` directly: batches of commands on real books, without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
import uuid_utils.compat

from ledger import heads, reads
from ledger.commands import (
    Command,
    CreateWallet,
    PlaceReservation,
    PostTransfer,
    Submission,
    WalletRef,
)
from ledger.database import connect_writer
from ledger.deployment import Layout
from ledger.execute import Assigned, execute
from ledger.fence import Fence
from ledger.outcomes import Outcome, Result, WalletCreated
from ledger.records import WalletType
from tests.databases import Database
from topology.partitions import partition_of

LAYOUT = Layout(1, 8)
MINUTE = timedelta(minutes=1)


def submission(
    command: Command,
    *,
    command_id: UUID | None = None,
    issued: datetime | None = None,
    deadline: datetime | None = None,
    actor: str = "test",
) -> Submission:
    now = datetime.now(UTC)
    return Submission(
        command_id=command_id or uuid_utils.compat.uuid7(),
        issued=issued or now,
        deadline=deadline or now + MINUTE,
        actor=actor,
        command=command,
    )


def assigned(each: Submission, layout: Layout = LAYOUT) -> Assigned:
    return Assigned(partition_of(each.command, layout), each)


@dataclass
class Ledger:
    connection: asyncpg.Connection
    fence: Fence
    database: Database
    layout: Layout = LAYOUT

    @classmethod
    @asynccontextmanager
    async def opened(cls, database: Database, layout: Layout = LAYOUT) -> AsyncIterator[Ledger]:
        connection = await connect_writer(database.writer)
        try:
            epochs = {
                partition: await heads.take_over(connection, layout.number, partition)
                for partition in range(layout.partitions)
            }
            yield cls(connection, Fence(layout.number, epochs), database, layout)
        finally:
            await connection.close(timeout=5)

    async def submit(self, *submissions: Submission) -> list[Outcome]:
        batch = [assigned(s, self.layout) for s in submissions]
        return await execute(self.connection, self.fence, batch)

    async def run(self, *commands: Command) -> list[Result]:
        """One batch; what became of each."""
        return [o.result for o in await self.submit(*(submission(c) for c in commands))]

    async def do(self, command: Command) -> Result:
        (result,) = await self.run(command)
        return result

    async def wallet(self, name: str, balance: str = "0", **more: Any) -> UUID:
        """A wallet, funded by the system."""
        result = await self.do(CreateWallet(name, more.pop("currency", "ZAR"), **more))
        assert isinstance(result, WalletCreated), result
        wallet_id = result.state.wallet.wallet_id
        if Decimal(balance):
            system = await self.system(result.state.wallet.currency)
            await self.do(transfer(system, wallet_id, balance, f"fund {name}"))
        return wallet_id

    async def system(self, currency: str = "ZAR") -> UUID:
        name = f"system {currency}"
        found = await reads.wallet_ids(self.connection, [name])
        if name not in found:
            await self.do(CreateWallet(name, currency, WalletType.SYSTEM))
            found = await reads.wallet_ids(self.connection, [name])
        return found[name]

    async def balances(self, *wallets: UUID) -> list[tuple[int, int]]:
        """Current and available, in minor units."""
        found: list[tuple[int, int]] = []
        for wallet_id in wallets:
            now = await reads.wallet(self.connection, wallet_id)
            assert now is not None
            found.append((now.state.balance.current_minor, now.state.balance.available_minor))
        return found


def transfer(
    source: UUID | str, target: UUID | str, amount: str, key: str, **more: Any
) -> PostTransfer:
    return PostTransfer(ref(source), ref(target), Decimal(amount), key, **more)


def ref(wallet: UUID | str) -> WalletRef:
    return WalletRef(wallet) if isinstance(wallet, UUID) else WalletRef(None, wallet)


def reservation(
    wallet: UUID, amount: str, session: str, key: str, expires_in: timedelta = MINUTE
) -> PlaceReservation:
    expires = datetime.now(UTC) + expires_in
    return PlaceReservation(wallet, Decimal(amount), session, expires, key)


def posted(results: Sequence[Result]) -> list[str]:
    """The kinds of the results, for comparing."""
    return [type(r).__name__ for r in results]
