"""The way to the books breaks in the middle of the work: whatever was under way is done once."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aio_pika import Message

from ledger import lookup
from ledger.database import connect_owner
from ledger.outcomes import TransferPosted
from producers.relay import Relay
from tests.databases import Database
from tests.faults.payments import paying
from tests.integration.ledger_driver import LAYOUT, Ledger, submission, transfer
from tests.integration.processes import Broker, Producer, consuming, deployment_of
from tests.polling import eventually, until
from tests.proxy import Proxy, Then, Way
from topology import connections, names
from topology.envelopes import encode_commands, encode_submission

#: A description is sent to the server in one statement alone: the one that writes.
MARK = "written-here"

_UNTOLD = (
    "SELECT count(*) FROM outcomes o JOIN relay_cursors c USING (partition)"
    " WHERE o.number > c.number"
)


@pytest.mark.parametrize("then", [Then.CUT_BEFORE, Then.CUT_AFTER, Then.CUT_ANSWER])
async def test_cut_in_the_writing_statement(database: Database, broker: Broker, then: Then) -> None:
    """The statement that writes transfer, entries and outcome breaks off in the middle, arrives
    without a COMMIT after it, or is answered to nobody: nothing of it stays, and the batch runs
    again."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        trap = proxy.trap(Way.TO_SERVER, MARK.encode(), then)
        answer = await payments.pay("broken-01", wait_s=20, description=MARK)
        assert trap.sprung.is_set()
        assert answer.status_code == 201
        assert await payments.settled() == {"broken-01": "APPLIED"}


async def test_cut_in_the_middle_of_a_copy(
    database: Database, broker: Broker, producer: Producer
) -> None:
    """A large batch is streamed; the connection goes with half of it under way."""
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
    batch = [
        submission(transfer(alice, bob, "0.01", f"copied-{n:03}", description=f"{MARK}-{n:03}"))
        for n in range(200)
    ]
    async with Proxy.before(database.writer) as (proxy, dsn):
        trap = proxy.trap(Way.TO_SERVER, f"{MARK}-150".encode(), Then.CUT_BEFORE)
        channel = await connections.confirmed_channel(broker.connection)
        body = encode_commands(
            LAYOUT.number, datetime.now(UTC), None, map(encode_submission, batch)
        )
        await channel.default_exchange.publish(Message(body), names.command_queue(LAYOUT.number, 0))
        await connections.close(channel)
        through = replace(database, writer=dsn)
        async with consuming(through, broker):
            command_ids = [s.command_id for s in batch]

            async def all_decided() -> bool:
                found = await lookup.outcomes(producer.pool, command_ids)
                return len(found) == 200 and all(
                    isinstance(outcome.result, TransferPosted) for outcome in found.values()
                )

            await eventually(all_decided)
            assert trap.sprung.is_set()


@pytest.mark.parametrize("reset", [False, True])
async def test_cut_again_and_again_under_traffic(
    database: Database, broker: Broker, reset: bool
) -> None:
    """Consumer and gateway lose all their connections ten times, in an orderly way or by RST."""
    async with (
        Proxy.before(database.writer) as (of_writer, writer),
        Proxy.before(database.reader) as (of_reader, reader),
        paying(database, broker, writer=writer, reader=reader) as payments,
    ):
        async with payments.going_on():
            for _ in range(10):
                await asyncio.gather(of_writer.cut(reset=reset), of_reader.cut(reset=reset))
                await payments.again()
        assert "APPLIED" in (await payments.settled()).values()


@pytest.mark.parametrize("ways", [(Way.TO_SERVER,), (Way.TO_CLIENT,), tuple(Way)])
async def test_a_consumer_whose_connection_fell_silent(
    database: Database, broker: Broker, ways: tuple[Way, ...]
) -> None:
    """Half open, or silent both ways, without an end: nobody closes anything. The consumer gives
    the connection up by itself, and goes on over another one once there is a way."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        async with payments.going_on(wait_s=1):
            proxy.stall(*ways)
            stalled = proxy.made
            await until(lambda: proxy.made > stalled, within_s=30)
            proxy.resume()
            await payments.again()
        assert "APPLIED" in (await payments.settled()).values()


async def test_an_idle_consumer_whose_connection_fell_silent(
    database: Database, broker: Broker
) -> None:
    """With nothing to do it still moves the clocks every second, and that must not wait for ever:
    the first payment afterwards is made at once."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        proxy.stall()
        stalled = proxy.made
        await until(lambda: proxy.made > stalled, within_s=30)
        proxy.resume()
        assert (await payments.pay("woken-001")).status_code in (201, 202)
        assert (await payments.pay("woken-002", wait_s=20)).status_code == 201
        await payments.settled()


async def test_a_relay_whose_connection_fell_silent(
    database: Database, broker: Broker, ledger: Ledger
) -> None:
    """It gives the connection up too, and tells later what it has not told yet."""
    async with Proxy.before(database.writer) as (proxy, dsn):
        relay = Relay(dsn, broker.url, await deployment_of(database))
        running = asyncio.create_task(relay.run())
        try:
            await until(lambda: relay.ready)
            proxy.stall()
            await ledger.wallet("alice-01", "100")
            stalled = proxy.made
            await until(lambda: proxy.made > stalled, within_s=30)
            proxy.resume()

            async def all_told() -> bool:
                untold: int = await ledger.connection.fetchval(_UNTOLD)
                return untold == 0

            await eventually(all_told)
        finally:
            relay.stop()
            await running


async def test_all_sessions_terminated_again_and_again(database: Database, broker: Broker) -> None:
    """An administrator (or a pooler that restarts) ends every session ten times."""
    owner = await connect_owner(database.owner)
    try:
        async with paying(database, broker) as payments:
            async with payments.going_on():
                ended = 0
                for _ in range(10):
                    ended += await owner.fetchval(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
                        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                    )
                    await payments.again()
                assert ended >= 10
            assert "APPLIED" in (await payments.settled()).values()
    finally:
        await owner.close()


async def test_head_rows_that_somebody_holds_for_long(database: Database, broker: Broker) -> None:
    """A session that is not a consumer's (a repair, a backend stuck in its disk) holds the head
    rows for longer than the lock timeout, while there is nothing to do and while there is. The
    consumer waits, and goes on when they are free."""
    owner = await connect_owner(database.owner)
    try:
        async with paying(database, broker) as payments:
            holding = owner.transaction()
            await holding.start()
            await owner.execute("SELECT FROM heads FOR UPDATE")
            await asyncio.sleep(6)  # longer than the lock timeout, with nothing to do
            asking = asyncio.create_task(payments.pay("waits-001", wait_s=20))
            await asyncio.sleep(6)  # and again, with a payment under way
            assert not asking.done()
            await holding.rollback()
            assert (await asking).status_code == 201
            assert await payments.settled() == {"waits-001": "APPLIED"}
    finally:
        await owner.close()
