"""More than the queues or the broker can take: whoever is too many is refused at once and for
certain, and nothing grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from producers import commands, publisher
from producers.publisher import Publisher
from tests.databases import Database
from tests.faults.straight import message, publish_until_refused
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
    async with faulty_town(database, broker, names=payers()) as ready:
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
    filled, *lanes = [await lane_of(town, payer) for payer in range(len(town.till.payers))]
    elsewhere = next(payer for payer, lane in enumerate(lanes, start=1) if lane != filled)
    await town.stop_consuming()
    channel = await connections.confirmed_channel(town.broker.connection)
    queue = names.command_queue(LAYOUT.number, filled)
    await publish_until_refused(channel, queue, [message()] * MAX_LENGTH * 4)
    await connections.close(channel)
    refused = await asyncio.gather(
        *(
            town.till.pay(f"full-{n:05}", payer=0, wait_s=wait_s)
            for n, wait_s in enumerate([5.0, 5.0, None, None])
        )
    )
    assert {answer.status_code for answer in refused} == {503}
    accepted = await town.till.pay("free-0001", payer=elsewhere, wait_s=None)
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
