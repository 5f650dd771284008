"""A consumer process ends or stands still at the worst moment, and another one takes over."""

from __future__ import annotations

import asyncio

import pytest

from tests.databases import Database
from tests.faults.consumer_process import ALL, consumer_process, epochs, taken_over
from tests.faults.payments import paying
from tests.integration.processes import Broker, consuming
from tests.polling import until
from tests.proxy import BASIC_ACK, BASIC_PUBLISH, COMMIT, Proxy, Then, Trap, Way

#: A partition's first owner.
NOBODY = dict.fromkeys(ALL, 0)
MOMENTS = ("before COMMIT", "COMMIT unheard", "between COMMIT and reply", "between reply and ack")


@pytest.mark.parametrize("moment", MOMENTS)
async def test_killed(database: Database, broker: Broker, moment: str) -> None:
    """SIGKILL exactly there. The message was not acked and comes again; what the books have is
    only answered. The caller hears once, and the payment is made once."""
    async with (
        consumer_process(database, broker) as first,
        paying(database, broker, consumed=False) as payments,
    ):
        await taken_over(database, NOBODY, ALL)
        trap = trap_at(first.to_books, first.to_broker, moment)
        asking = asyncio.create_task(payments.pay("killed-01", wait_s=25))
        await until(trap.sprung.is_set)
        await first.kill()
        since = await epochs(database)
        async with consuming(database, broker):
            assert (await asking).status_code == 201
            await taken_over(database, since, ALL)
            assert (await payments.pay("killed-02", wait_s=20)).status_code == 201
            assert set((await payments.settled()).values()) == {"APPLIED"}


def trap_at(to_books: Proxy, to_broker: Proxy, moment: str) -> Trap:
    """Holds a consumer at this moment of its work."""
    match moment:
        case "before COMMIT":
            return to_books.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
        case "COMMIT unheard":
            return to_books.trap(Way.TO_CLIENT, COMMIT, Then.HOLD)
        case "between COMMIT and reply":
            return to_broker.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
        case _:
            return to_broker.trap(Way.TO_SERVER, BASIC_ACK, Then.HOLD)


@pytest.mark.parametrize("vanished", [False, True])
async def test_frozen_in_a_transaction(database: Database, broker: Broker, vanished: bool) -> None:
    """It stops before its COMMIT (a machine that is moved). The server ends its session, so that
    nothing of it keeps its locks; the broker gives its partitions to another consumer, at once
    where the machine vanished, else when its heartbeats have stopped. When it goes on, its
    transaction is gone, the fence keeps it from writing under its old epochs, it stands by for the
    new owner, and works again when that one leaves."""
    async with (
        consumer_process(database, broker) as first,
        paying(database, broker, consumed=False) as payments,
    ):
        await taken_over(database, NOBODY, ALL)
        trap = first.to_books.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
        asking = asyncio.create_task(payments.pay("frozen-01", wait_s=30))
        await until(trap.sprung.is_set)
        first.freeze()
        since = await epochs(database)
        async with consuming(database, broker):
            if vanished:
                await first.to_broker.cut()
            await taken_over(database, since, ALL)
            trap.release()
            assert (await asking).status_code in (201, 202, 504)
            first.thaw()
            for number in range(10):
                paid = await payments.pay(f"thawed-{number:02}", wait_s=20)
                assert paid.status_code == 201
            since = await epochs(database)
        await taken_over(database, since, ALL)
        assert (await payments.pay("again-001", wait_s=20)).status_code == 201
        words = await payments.settled()
        assert words["again-001"] == "APPLIED"


async def test_frozen_through_a_hand_over(database: Database, broker: Broker) -> None:
    """One of two consumers stands still between two batches while the other takes everything over.
    Thawed, it does not know yet, and a payment that it still had in its hands is not made by it; it
    gets its own half back, and payments in both halves go on."""
    async with (
        consumer_process(database, broker, slot=0, slots=2) as first,
        consuming(database, broker, slot=1, slots=2),
        paying(database, broker, consumed=False) as payments,
    ):
        own = {p for p in ALL if p % 2 == 0}
        await taken_over(database, NOBODY, ALL)
        for _ in range(2):
            async with payments.going_on(wait_s=10):
                since = await epochs(database)
                first.freeze()
                await first.vanish()
                await taken_over(database, since, own)
                await payments.again()
                since = await epochs(database)
                first.thaw()
                await taken_over(database, since, own)
                await payments.again()
        assert "APPLIED" in (await payments.settled()).values()
