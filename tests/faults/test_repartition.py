"""Changing the number of partitions, and pausing some, with consumers and producers at work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from consumers.worker import Consumer
from ledger import interventions, lookup, reads
from ledger.commands import CreateWallet
from ledger.database import connect_owner
from ledger.deployment import Layout
from ledger.interventions import State
from ledger.outcomes import TransferPosted, WalletCreated
from ledger.rejections import Code, Rejection
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, submission, transfer
from tests.integration.processes import (
    Broker,
    Producer,
    consuming,
    delete_queues,
    deployment_of,
    producing,
)
from tests.integration.test_consuming import message, publish
from tests.polling import eventually, until
from topology import repartition
from topology.command_ids import new_command_id
from topology.errors import LayoutChanged, Unavailable
from topology.partitions import partition_of
from topology.repartition import NotDrained, Repartitioning, Stopped

SECOND = timedelta(seconds=1)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect_owner(database.owner)
    yield connection
    await connection.close()


@pytest.fixture
async def said(broker: Broker, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[list[str]]:
    """What a repartitioning says; it waits for late producers no longer than tests do."""
    monkeypatch.setattr(repartition, "_NOBODY_SENDS_S", 1.0)
    yield []
    for number in range(2, 5):
        await delete_queues(broker.connection, Layout(number, 12))


def repartitioning(
    owner: asyncpg.Connection[Any], broker: Broker, said: list[str], limit_s: float = 20.0
) -> Repartitioning:
    return Repartitioning(
        owner, broker.connection, actor="test", say=said.append, drain_limit_s=limit_s
    )


@asynccontextmanager
async def tended(database: Database, broker: Broker) -> AsyncIterator[None]:
    """A consumer that is started again when the layout has changed, as its supervisor does."""
    over = asyncio.Event()

    async def tend() -> None:
        while not over.is_set():
            try:
                async with consuming(database, broker) as consumer:
                    await until(lambda: over.is_set() or not consumer.ready, within_s=120)
            except LayoutChanged:
                continue

    tending = asyncio.create_task(tend())
    yield
    over.set()
    await tending


async def test_callers_go_on_in_the_new_layout(
    database: Database, broker: Broker, owner: asyncpg.Connection[Any], said: list[str]
) -> None:
    async with tended(database, broker):
        for layout in (LAYOUT, Layout(2, 3), Layout(3, 12)):
            if layout is not LAYOUT:
                moved = await repartitioning(owner, broker, said).run(layout.partitions)
                assert moved == layout
            async with producing(database, broker.url) as producer:
                names = [f"wallet-{layout.number}-{n:04}" for n in range(30)]
                results = await asyncio.gather(
                    *(producer.ask(CreateWallet(name, "ZAR")) for name in names)
                )
            assert all(isinstance(r, WalletCreated) for r in results)
    assert await owner.fetchval("SELECT count(*) FROM wallets") == 90
    # What the old layouts left on the broker is gone; running it again finds nothing to do.
    said.clear()
    assert await repartitioning(owner, broker, said).run(12) == Layout(3, 12)
    assert said == []


async def test_a_producer_that_did_not_notice_is_told_by_the_books(
    database: Database, broker: Broker, owner: asyncpg.Connection[Any], said: list[str]
) -> None:
    """Its message lies in an old queue when the books have moved: refused, and recorded."""
    late = submission(CreateWallet("alice-01", "ZAR"))
    partition = partition_of(late.command, LAYOUT)
    late_id = new_command_id(1, partition, late.deadline)
    late = submission(late.command, command_id=late_id, deadline=late.deadline)
    async with tended(database, broker):
        running = asyncio.create_task(repartitioning(owner, broker, said).run(3))
        await until(lambda: any("is in force" in line for line in said), within_s=30)
        await publish(broker, partition, message(late))
        await running
        found = await eventually(lambda: lookup.outcomes(owner, [late_id]))
    refused = found[late_id].result
    assert isinstance(refused, Rejection)
    assert refused.code is Code.UNAVAILABLE
    assert "1 late messages were brought over, to be refused" in said


async def test_what_does_not_drain_changes_nothing(
    database: Database, broker: Broker, owner: asyncpg.Connection[Any], said: list[str]
) -> None:
    await publish(broker, 0, message(submission(CreateWallet("alice-01", "ZAR"))))
    with pytest.raises(NotDrained, match="1 messages"):
        await repartitioning(owner, broker, said, limit_s=1).run(3)
    assert (await deployment_of(database)).layout == LAYOUT
    assert await interventions.in_force(owner) == {}


async def test_the_intake_is_stopped_while_queues_drain(
    database: Database,
    broker: Broker,
    producer: Producer,
    owner: asyncpg.Connection[Any],
    said: list[str],
) -> None:
    await publish(broker, 0, message(submission(CreateWallet("alice-01", "ZAR"))))
    running = asyncio.create_task(repartitioning(owner, broker, said, limit_s=6).run(3))
    await until(lambda: producer.intake.problem)
    with pytest.raises(Unavailable, match="draining: repartitioning from 8 to 3"):
        await producer.commands.send(CreateWallet("bob-0001", "ZAR"), actor="test")
    # A second one does not disturb the first.
    second = await connect_owner(database.owner)
    with pytest.raises(Stopped):
        await repartitioning(second, broker, said).run(5)
    await second.close()
    with pytest.raises(NotDrained):
        await running
    await until(lambda: not producer.intake.problem)


async def test_a_paused_partition_takes_nothing_and_applies_nothing_until_resumed(
    database: Database, broker: Broker, producer: Producer, owner: asyncpg.Connection[Any]
) -> None:
    async with consuming(database, broker) as consumer:
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
        command = transfer(alice, bob, "1", "key-000001")
        partition = partition_of(command, LAYOUT)
        await pause(owner, partition)
        await until(lambda: _refused(producer, partition) and _paused(consumer, partition))
        with pytest.raises(Unavailable, match="paused: a test"):
            await producer.commands.send(command, actor="test")
        # What waits already: one whose deadline passes meanwhile, one that has time.
        now = (await reads.times(owner)).now
        short = _submission(command, partition, now + SECOND)
        another = transfer(alice, bob, "1", "key-000002")
        long = _submission(another, partition, now + 60 * SECOND)
        await publish(broker, partition, message(short, long))
        other = next(
            c
            for n in range(100)
            if partition_of(c := CreateWallet(f"other-{n:04}", "ZAR"), LAYOUT) != partition
        )
        assert isinstance(await producer.ask(other), WalletCreated)
        await eventually(lambda: _is_over(owner, short.command_id, short.deadline))
        assert await lookup.outcomes(owner, [short.command_id, long.command_id]) == {}
        await interventions.record(owner, [partition], State.OPEN, actor="test", reason="done")
        both = [short.command_id, long.command_id]
        await eventually(lambda: _decided(owner, both))
        found = await lookup.outcomes(owner, both)
    expired, posted = found[short.command_id].result, found[long.command_id].result
    assert isinstance(expired, Rejection)
    assert expired.code is Code.DEADLINE_EXCEEDED
    assert isinstance(posted, TransferPosted)


async def pause(owner: asyncpg.Connection[Any], partition: int) -> None:
    await interventions.record(owner, [partition], State.PAUSED, actor="test", reason="a test")


def _refused(producer: Producer, partition: int) -> bool:
    try:
        producer.intake.require_open(partition)
    except Unavailable:
        return True
    return False


def _paused(consumer: Consumer, partition: int) -> bool:
    states: Any = consumer.report()["partitions"]
    return bool(states[str(partition)]["paused"])


def _submission(command: Any, partition: int, deadline: Any) -> Any:
    command_id = new_command_id(LAYOUT.number, partition, deadline)
    return submission(command, command_id=command_id, deadline=deadline)


async def _is_over(owner: asyncpg.Connection[Any], command_id: Any, deadline: Any) -> bool:
    state = await reads.command_state(owner, command_id, 1, command_id.bytes[7])
    return state is not None and state.partition_decided_at >= deadline


async def _decided(owner: asyncpg.Connection[Any], ids: list[Any]) -> bool:
    return len(await lookup.outcomes(owner, ids)) == len(ids)
