"""Commands through a real broker: batching, order, replies, and parts that are away."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger import lookup, reads
from ledger.commands import CreateWallet
from ledger.database import connect_owner
from ledger.outcomes import Outcome, TransferPosted, WalletCreated
from ledger.rejections import Code, Rejection
from producers import metrics
from producers.commands import Pending
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, transfer
from tests.integration.processes import Broker, Producer, consuming, producing
from tests.polling import eventually, until
from tests.proxy import BASIC_PUBLISH, Proxy, Then, Way
from topology import connections, names
from topology.deadlines import FINAL_AFTER
from topology.errors import Unavailable, Unroutable


async def test_a_command_is_answered_through_the_queue(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
        paid = await producer.ask(transfer(alice, bob, "60", "key-000001"))
        assert isinstance(paid, TransferPosted)
        refused = await producer.ask(transfer(alice, bob, "60", "key-000002"))
        assert isinstance(refused, Rejection)
        assert refused.code is Code.INSUFFICIENT_FUNDS


async def test_a_clock_that_was_put_back_does_not_make_every_command_late(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
    owner = await connect_owner(database.owner)
    try:
        await owner.execute("UPDATE heads SET decided_at = decided_at + interval '1 hour'")
    finally:
        await owner.close()
    await producer.clock.sample()
    async with consuming(database, broker):
        paid = await producer.ask(transfer(alice, bob, "60", "key-000001"))
    assert isinstance(paid, TransferPosted)


async def test_many_at_once_share_messages_and_transactions(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        bob = await producer.wallet("bob-0001")
        payers = [await producer.wallet(f"payer-{n:03}", "10") for n in range(20)]
        messages, commands = _published()
        results = await asyncio.gather(
            *(
                producer.ask(transfer(payers[n % 20], bob, "0.01", f"key-{n:05}"))
                for n in range(800)
            )
        )
        assert all(isinstance(r, TransferPosted) for r in results)
        sent_messages, sent_commands = _published()
        assert sent_commands - commands == 800
        assert sent_messages - messages < 400
        links = await producer.pool.fetchval("SELECT count(*) FROM chain")
        assert links < 800


async def test_one_wallets_debits_are_decided_in_the_order_they_were_accepted(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
        keys = [f"key-{n:05}" for n in range(200)]
        asked = [
            asyncio.create_task(producer.ask(transfer(alice, bob, "0.01", key))) for key in keys
        ]
        await asyncio.gather(*asked)
        part = await reads.stretch(producer.pool, alice, date_from=None, date_to=None)
        assert part is not None
        entries = await reads.entries(producer.pool, alice, part, descending=False, limit=1000)
        assert [e.external_unique_id for e in entries if e.amount_minor < 0] == keys


async def test_without_a_consumer_a_caller_hears_pending_and_the_command_expires(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
    pending = await producer.commands.ask(
        transfer(alice, bob, "1", "key-000001"), actor="test", wait_s=0.4
    )
    assert isinstance(pending, Pending)
    await until(lambda: datetime.now(UTC) > pending.final_by - timedelta(seconds=2))
    async with consuming(database, broker):
        outcome = await _outcome(producer, pending)
    assert isinstance(outcome.result, Rejection)
    assert outcome.result.code is Code.DEADLINE_EXCEEDED
    assert (await reads.balance_at(producer.pool, bob, datetime.now(UTC))).current_minor == 0  # type: ignore[union-attr]


async def test_time_that_was_spent_before_is_taken_from_the_wait(
    broker: Broker, producer: Producer
) -> None:
    def ask(spent_s: float) -> Any:
        command = CreateWallet("alice-01", "ZAR")
        return producer.commands.ask(command, actor="test", wait_s=3.0, spent_s=spent_s)

    begun = producer.clock.decision_time()
    pending = await ask(spent_s=2.0)
    assert isinstance(pending, Pending)
    assert pending.final_by - FINAL_AFTER - begun < timedelta(seconds=1.5)
    with pytest.raises(Unavailable, match="before the command could be sent"):
        await ask(spent_s=2.5)


async def test_what_nobody_waits_for_is_not_sent_once_its_caller_has_left(
    database: Database, broker: Broker
) -> None:
    async with (
        Proxy.before(broker.url) as (proxy, url),
        producing(database, url) as producer,
        consuming(database, broker),
    ):

        def send(key: str) -> asyncio.Task[Pending]:
            command = transfer("nobody-01", "nobody-02", "1", key)
            return asyncio.create_task(producer.commands.send(command, actor="test"))

        published = proxy.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
        first = send("key-000001")
        await published.sprung.wait()
        left, stays = send("key-000002"), send("key-000003")
        await asyncio.sleep(0)  # both wait for the first one's confirm now
        left.cancel()
        published.release()
        for pending in (await first, await stays):
            await _outcome(producer, pending)
        with pytest.raises(asyncio.CancelledError):
            await left
        assert await _all_decided(producer, 2)


async def test_sent_without_waiting_it_is_decided_all_the_same(
    database: Database, broker: Broker, producer: Producer
) -> None:
    pending = await producer.commands.send(CreateWallet("alice-01", "ZAR"), actor="test")
    async with consuming(database, broker):
        outcome = await _outcome(producer, pending)
    assert isinstance(outcome.result, WalletCreated)


async def test_a_lost_reply_queue_costs_time_and_no_answer(
    database: Database, broker: Broker
) -> None:
    """The reply goes to a queue that is gone; the waiter is found in the books."""
    before = metrics.LOOKED_UP._value.get()
    async with Proxy.before(broker.url) as (proxy, url), producing(database, url) as producer:
        asking = asyncio.create_task(producer.ask(CreateWallet("alice-01", "ZAR")))
        await eventually(lambda: _total_depth(broker))
        old = producer.replies.queue
        await proxy.cut()
        await until(lambda: producer.replies.queue not in (None, old))
        async with consuming(database, broker):
            assert isinstance(await asking, WalletCreated)
    assert metrics.LOOKED_UP._value.get() > before


async def test_without_a_queue_nothing_is_accepted(broker: Broker, producer: Producer) -> None:
    channel = await connections.plain_channel(broker.connection)
    for partition in range(LAYOUT.partitions):
        await channel.queue_delete(names.command_queue(LAYOUT.number, partition))
    with pytest.raises(Unroutable):
        await producer.commands.ask(CreateWallet("alice-01", "ZAR"), actor="test", wait_s=5)


async def test_a_full_queue_refuses_and_accepts_nothing_of_it(
    database: Database, broker: Broker, producer: Producer
) -> None:
    """The broker nacks beyond its length limit: certainly not accepted."""
    accepted = 0
    with suppress(Unavailable):
        while accepted < 1000:
            await producer.commands.send(CreateWallet("alice-01", "ZAR"), actor="test")
            accepted += 1
    assert 200 < accepted < 400
    async with consuming(database, broker):
        await eventually(lambda: _all_decided(producer, accepted))


async def test_without_a_broker_nothing_is_accepted_at_once(
    database: Database, broker: Broker
) -> None:
    async with Proxy.before(broker.url) as (proxy, url), producing(database, url) as producer:
        proxy.closed = True
        await proxy.cut()
        await until(lambda: not producer.publisher.connected)
        with pytest.raises(Unavailable):
            producer.publisher.require_open()
        with pytest.raises(Unavailable):
            await producer.commands.ask(CreateWallet("alice-01", "ZAR"), actor="test", wait_s=5)
        proxy.closed = False
        await until(lambda: producer.publisher.connected)
        async with consuming(database, broker):
            assert isinstance(await producer.ask(CreateWallet("alice-01", "ZAR")), WalletCreated)


async def _total_depth(broker: Broker) -> int:
    return sum([await broker.depth(partition) for partition in range(LAYOUT.partitions)])


async def _outcome(producer: Producer, pending: Pending) -> Outcome:
    async def found() -> Outcome | None:
        return (await lookup.outcomes(producer.pool, [pending.command_id])).get(pending.command_id)

    outcome = await eventually(found)
    assert outcome is not None
    return outcome


async def _all_decided(producer: Producer, count: int) -> bool:
    decided: int = await producer.pool.fetchval("SELECT count(*) FROM outcomes")
    assert decided <= count
    return decided == count


def _published() -> tuple[float, float]:
    """Messages and commands published by this process so far."""
    samples = {s.name: s.value for m in metrics.COMMANDS_PER_MESSAGE.collect() for s in m.samples}
    name = "sov_publish_batch_commands"
    return samples[f"{name}_count"], samples[f"{name}_sum"]
