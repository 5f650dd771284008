"""Books filled without HTTP and without a broker: batches straight through ``ledger.execute``.

Only while nothing consumes these books: filling takes every partition over.
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any, Final
from uuid import UUID, uuid4

import asyncpg
import uuid_utils.compat

from bench.installation import Installation
from ledger import heads
from ledger.commands import Command, CreateWallet, PostTransfer, Submission, WalletRef
from ledger.database import connect_writer
from ledger.deployment import Layout, read_deployment
from ledger.execute import Assigned, execute
from ledger.fence import Fence
from ledger.outcomes import Outcome, TransferPosted, WalletCreated
from ledger.records import WalletType
from topology.partitions import partition_of

#: Who asked for what was not asked over HTTP.
FILLER: Final = "bench"
#: What a consumer applies at once.
_BATCH: Final = 2000
_CURRENCY: Final = "ZAR"
#: Load moves cents: nobody runs dry.
_FUNDS: Final = Decimal(1_000_000)


class Filler:
    """Runs commands that must all succeed."""

    def __init__(
        self,
        connection: asyncpg.Connection[Any],
        layout: Layout,
        fence: Fence,
        into: Installation,
        actor: str,
    ) -> None:
        self._connection, self._layout, self._fence = connection, layout, fence
        self._into, self._actor = into, actor

    async def wallets(self, count: int) -> None:
        """Funded wallets, until the installation has so many."""
        into = self._into
        if not into.system:
            bank = CreateWallet("bench-system", _CURRENCY, WalletType.SYSTEM)
            (into.system,) = [w async for w in self.created([bank])]
        first = len(into.wallets)
        fresh = [
            wallet
            async for wallet in self.created(
                CreateWallet(f"bench-{number:08}", _CURRENCY) for number in range(first, count)
            )
        ]
        await self.posted(_transfer(into.system, wallet, _FUNDS) for wallet in fresh)
        into.wallets += fresh

    async def transfers(self, total: int, seed: int) -> None:
        """Transfers between the installation's wallets, until the books have so many."""
        chance = random.Random(seed)  # noqa: S311 - reproducible load, no secret
        missing = total - await self._connection.fetchval("SELECT count(*) FROM transfers")
        wallets = self._into.wallets
        await self.posted(
            _transfer(source, target, Decimal("0.01"))
            for source, target in (chance.sample(wallets, 2) for _ in range(missing))
        )

    async def created(self, commands: Iterable[Command]) -> AsyncIterator[str]:
        async for outcome in self._outcomes(commands):
            if not isinstance(outcome.result, WalletCreated):
                raise TypeError(f"no wallet was made: {outcome.result}")
            yield str(outcome.result.state.wallet.wallet_id)

    async def posted(self, commands: Iterable[Command]) -> None:
        async for outcome in self._outcomes(commands):
            if not isinstance(outcome.result, TransferPosted):
                raise TypeError(f"no transfer was posted: {outcome.result}")

    async def _outcomes(self, commands: Iterable[Command]) -> AsyncIterator[Outcome]:
        for batch in _batches(commands):
            now = datetime.now(UTC)
            submissions = [
                Submission(
                    command_id=uuid_utils.compat.uuid7(),
                    issued=now,
                    deadline=now + timedelta(hours=1),
                    actor=self._actor,
                    command=command,
                )
                for command in batch
            ]
            for outcome in await execute(
                self._connection,
                self._fence,
                [Assigned(partition_of(s.command, self._layout), s) for s in submissions],
            ):
                yield outcome


@asynccontextmanager
async def filling(into: Installation, actor: str = FILLER) -> AsyncIterator[Filler]:
    """All partitions of the installation, for the time of the block; ``actor`` asks."""
    connection = await connect_writer(into.access.writer)
    try:
        layout = (await read_deployment(connection)).layout
        epochs = {
            partition: await heads.take_over(connection, layout.number, partition)
            for partition in range(layout.partitions)
        }
        yield Filler(connection, layout, Fence(layout.number, epochs), into, actor)
    finally:
        await connection.close(timeout=5)


def _batches(commands: Iterable[Command]) -> Iterator[Sequence[Command]]:
    left = iter(commands)
    while batch := list(islice(left, _BATCH)):
        yield batch


def _transfer(source: str, target: str, amount: Decimal) -> PostTransfer:
    sides = WalletRef(UUID(source)), WalletRef(UUID(target))
    return PostTransfer(*sides, amount, f"fill-{uuid4()}")
