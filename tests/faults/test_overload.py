"""More than the queues or the broker can take: whoever is too many is refused at once and for
certain, and nothing grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest
from aio_pika import DeliveryMode, Message
from aiormq.exceptions import DeliveryError

from producers import commands, publisher
from producers.publisher import Publisher
from tests.databases import Database
from tests.faults.straight import message
from tests.faults.till import SHOP
from tests.faults.towns import Town, faulty_town, payers
from tests.integration.ledger_driver import LAYOUT, transfer
from tests.integration.processes import Broker
from tests.polling import until
from topology import connections, names
from topology.declare import MAX_LENGTH
from topology.partitions import partition_of


@pytest.fixture
async def town(database: Database, broker: Broker) -> AsyncIterator[Town]:
    async with faulty_town(database, broker, names=payers(2)) as ready:
        yield ready


def publisher_of(town: Town) -> Publisher:
    machinery = town.running.gateway._machinery
    assert machinery is not None
    return machinery.publisher


async def lane_of(town: Town, payer: int) -> int:
    """The partition of a payer's payments, as the gateway computes it."""
    found = await town.running.get("/v1/wallets", externalUniqueId=town.till.payers[payer])
    wallet = UUID(found["items"][0]["walletId"])
    return partition_of(transfer(wallet, SHOP, "1", "key-0001"), LAYOUT)


async def test_a_full_queue_refuses_and_the_others_go_on(town: Town) -> None:
    """The consumers are away and one partition's queue is full: its payments are refused (the
    broker's nack), none of them is accepted, and another partition still takes what it is given."""
    filled, free = [await lane_of(town, payer) for payer in (0, 1)]
    assert filled != free
    await town.stop_consuming()
    channel = await connections.confirmed_channel(town.broker.connection)
    filler = Message(message(), delivery_mode=DeliveryMode.PERSISTENT)
    queue = names.command_queue(LAYOUT.number, filled)
    results = await asyncio.gather(
        *(channel.default_exchange.publish(filler, queue) for _ in range(MAX_LENGTH + 100)),
        return_exceptions=True,
    )
    await connections.close(channel)
    assert any(isinstance(result, DeliveryError) for result in results)
    refused = await asyncio.gather(
        *(
            town.till.pay(f"full-{n:05}", payer=0, wait_s=wait_s)
            for n, wait_s in enumerate([5.0, 5.0, None, None])
        )
    )
    assert {answer.status_code for answer in refused} == {503}
    accepted = await town.till.pay("free-0001", payer=1, wait_s=None)
    assert accepted.status_code == 202
    await town.consume()
    assert await town.till.reconcile() == {"REFUSED": 4, "APPLIED": 1}
    await town.till.paying_again(within_s=15)


async def test_a_silent_broker_does_not_fill_the_gateway(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker stands still under a flood: as many commands as may wait do, the rest is refused
    at once. Those that were never sent are refused at the end of their wait; the few that were are
    in doubt. Afterwards nothing is left behind and payments go on."""
    monkeypatch.setattr(publisher, "_MAX_WAITING", 20)
    town.publishing.stall()
    answers = await asyncio.gather(
        *(town.till.pay(f"flood-{n:05}", payer=n % 2, wait_s=1.5) for n in range(200))
    )
    by_status = [answer.status_code for answer in answers]
    assert by_status.count(503) >= 200 - 2 * 2 * 20
    assert set(by_status) <= {202, 503}
    assert all(len(lane._waiting) <= 20 for lane in publisher_of(town)._lanes)
    await until(lambda: town.running.gateway.report()["waiting_commands"] == 0)
    town.publishing.resume()
    print(f"paying again after {await town.till.paying_again(within_s=30):.2f} s")
    assert set(await town.till.reconcile()) <= {"APPLIED", "EXPIRED", "REFUSED"}


async def test_callers_who_wait_for_outcomes_are_bounded(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every message is taken and nobody decides: as many callers may wait as there is room for, and
    the next is refused before anything is written."""
    await town.stop_consuming()
    monkeypatch.setattr(commands, "_MAX_IN_FLIGHT", 10)
    waiting = [
        asyncio.create_task(town.till.pay(f"waits-{n:04}", payer=n % 2, wait_s=8))
        for n in range(10)
    ]
    await until(lambda: town.running.gateway.report()["waiting_commands"] == 10)
    assert (await town.till.pay("too-many-1", wait_s=8)).status_code == 503
    await town.consume()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} <= {201, 202}
    told = await town.till.reconcile()
    assert told["REFUSED"] == 1
    assert told["APPLIED"] + told["EXPIRED"] == 10
