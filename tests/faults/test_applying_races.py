"""What a consumer makes of a batch whose partitions, commands or database fail it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import pytest
from prometheus_client import REGISTRY

from consumers.applying import apply
from consumers.writer import Writer
from ledger import dead_letters, lookup
from ledger.commands import Command, PostTransfer, ReverseTransfer
from ledger.database import connect_owner
from ledger.execute import Assigned, execute
from ledger.fence import FenceLost
from ledger.outcomes import TransferPosted
from ledger.rejections import Code, Rejection
from tests.databases import Database
from tests.faults.contention import Connection
from tests.integration.ledger_driver import LAYOUT, Ledger, submission, transfer
from tests.polling import until


@asynccontextmanager
async def owning(database: Database, *partitions: int) -> AsyncIterator[Writer]:
    """A consumer's writer that has taken the partitions over."""
    writer = Writer(database.writer, LAYOUT.number)
    try:
        for partition in partitions:
            await writer.take_over(partition)
        yield writer
    finally:
        await writer.close()


@asynccontextmanager
async def owner_of(database: Database) -> AsyncIterator[Connection]:
    connection = await connect_owner(database.owner)
    try:
        yield connection
    finally:
        await connection.close()


async def outcomes_in(database: Database, partition: int) -> int:
    async with owner_of(database) as owner:
        count: int = await owner.fetchval(
            "SELECT count(*) FROM outcomes WHERE partition = $1", partition
        )
        return count


async def test_of_two_owners_the_first_writes_nothing_more(ledger: Ledger) -> None:
    """The broker gave one partition to two consumers, one after the other, and told the first one
    nothing. Its next batch finds that its epoch has passed."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    batch = [Assigned(3, submission(transfer(alice, bob, "1", "key-000001")))]
    async with owning(ledger.database, 3) as first, owning(ledger.database, 3) as second:
        assert second.fence.epochs[3] == first.fence.epochs[3] + 1
        before = await outcomes_in(ledger.database, 3)
        with pytest.raises(FenceLost) as lost:
            await execute(await first.connection(), first.fence, batch)
        assert lost.value.partitions == {3}
        assert await outcomes_in(ledger.database, 3) == before
        assert await ledger.balances(alice, bob) == [(10_000, 10_000), (0, 0)]
        applied = await apply(second, batch)
    assert [type(o.result) for o in applied.outcomes.values()] == [TransferPosted]


async def test_what_is_not_lost_is_applied_and_what_is_lost_not_answered(ledger: Ledger) -> None:
    """Half of a batch belongs to a partition that went to another consumer: the other half is
    applied, in order, and the new owner is the only one who says anything about the rest."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    commands = [submission(transfer(alice, bob, "1", f"key-{n:06}")) for n in range(6)]
    batch = [Assigned(n % 2, command) for n, command in enumerate(commands)]
    before = await outcomes_in(ledger.database, 1)
    async with owning(ledger.database, 0, 1) as writer, owning(ledger.database, 1) as other:
        applied = await apply(writer, batch)
        assert applied.lost == {1}
        assert list(applied.outcomes) == [c.command_id for c in commands[::2]]
        assert all(isinstance(o.result, TransferPosted) for o in applied.outcomes.values())
        assert await outcomes_in(ledger.database, 1) == before
        assert await ledger.balances(alice, bob) == [(9700, 9700), (300, 300)]
        rest = await apply(other, batch[1::2])
    assert list(rest.outcomes) == [c.command_id for c in commands[1::2]]


def unstorable(payment: PostTransfer, _: UUID) -> Command:
    """PostgreSQL keeps no NUL: the last statement fails."""
    return transfer(payment.from_wallet.wallet_id or "", "bob-0001", "1", "key-\x00-nul")


def contradictory(payment: PostTransfer, original: UUID) -> Command:
    """A reversal that names other wallets than its original: the rule looks for one in vain."""
    wallet_id = payment.from_wallet.wallet_id
    assert wallet_id is not None
    return ReverseTransfer(original, wallet_id, wallet_id, "key-000099")


@pytest.mark.parametrize("poison_of", [unstorable, contradictory])
@pytest.mark.parametrize("position", [0, 2, 4])
async def test_one_poisoned_command_is_parked_alone(
    ledger: Ledger, poison_of: object, position: int
) -> None:
    """A command that breaks ``execute`` stands among good ones: they are applied, it is parked with
    its reason, and its caller is told that it is over."""
    assert callable(poison_of)
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    original = await ledger.do(transfer(alice, bob, "1", "key-original"))
    assert isinstance(original, TransferPosted)
    good = [transfer(alice, bob, "1", f"key-{n:06}") for n in range(4)]
    poison = submission(poison_of(good[0], original.transfer.transfer_id))
    commands = [submission(command) for command in good]
    commands.insert(position, poison)
    async with owning(ledger.database, 0, 1) as writer:
        applied = await apply(writer, [Assigned(n % 2, c) for n, c in enumerate(commands)])
        # A redelivery of the whole is only answered.
        again = await apply(writer, [Assigned(n % 2, c) for n, c in enumerate(commands)])
    assert again.outcomes == applied.outcomes
    refusal = applied.outcomes.pop(poison.command_id).result
    assert isinstance(refusal, Rejection)
    assert refusal.code is Code.INTERNAL
    assert [type(o.result) for o in applied.outcomes.values()] == [TransferPosted] * 4
    async with owner_of(ledger.database) as owner:
        (letter,) = await dead_letters.listed(owner, 10)
    assert letter.letter.dead_letter_id == refusal.dead_letter_id
    assert letter.letter.command_id == poison.command_id
    assert await ledger.balances(alice, bob) == [(9500, 9500), (500, 500)]


async def test_a_full_database_is_waited_for(ledger: Ledger) -> None:
    """The connection is lost, and PostgreSQL has none to spare for a new one: the batch waits, is
    not parked and not refused, and goes on when there is room."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    payment = submission(transfer(alice, bob, "1", "key-000001"))
    limit = f"ALTER DATABASE {urlsplit(ledger.database.owner).path[1:]} CONNECTION LIMIT"
    async with owner_of(ledger.database) as owner, owning(ledger.database, 0) as writer:
        connection = await writer.connection()
        await owner.execute(f"{limit} 0")
        await owner.fetch("SELECT pg_terminate_backend($1)", connection.get_server_pid())
        before = refused_connections()
        applying = asyncio.create_task(apply(writer, [Assigned(0, payment)]))
        await until(lambda: refused_connections() >= before + 3)
        assert not applying.done()
        assert await lookup.outcomes(owner, [payment.command_id]) == {}
        await owner.execute(f"{limit} -1")
        applied = await applying
        assert await dead_letters.listed(owner, 10) == []
    assert isinstance(applied.outcomes[payment.command_id].result, TransferPosted)
    assert applied.lost == frozenset()


def refused_connections() -> float:
    cause = {"cause": asyncpg.TooManyConnectionsError.__name__}
    return REGISTRY.get_sample_value("sov_batch_retries_total", cause) or 0.0
