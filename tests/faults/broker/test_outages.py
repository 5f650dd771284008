"""The broker restarts, dies, freezes, or throws everybody out: what it had confirmed is there, and
everything goes on by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from functools import partial

import pytest
from aio_pika.abc import AbstractConnection

from cli.servers.rabbitmq_conf import CONSUMER, GATEWAY
from ledger.commands import Submission
from ledger.database import connect_owner
from tests.databases import Database
from tests.faults.broker.own_broker import OwnBroker
from tests.faults.straight import message, publish_until_refused
from tests.faults.towns import Town
from tests.integration.ledger_driver import LAYOUT, submission, transfer
from tests.polling import eventually, until
from topology import connections, names
from topology.declare import MAX_LENGTH
from topology.partitions import partition_of

#: Connections are tried again every half second; all the rest is the machine's load.
BACK_WITHIN_S = 60


async def fill(town: Town, own: OwnBroker) -> dict[int, list[Submission]]:
    """Payments from every payer until each partition's queue refuses more, in order; answers those
    that the broker confirmed."""
    confirmed: dict[int, list[Submission]] = {}
    connection = await connections.connect(own.url, "tests")
    try:
        async with asyncio.TaskGroup() as tasks:
            for payer in town.till.payers:
                sample = submission(transfer(payer, "shop-0001", "0.01", "sample-key"))
                partition = partition_of(sample.command, LAYOUT)
                if partition not in confirmed:
                    confirmed[partition] = []
                    filling = _fill_one(connection, payer, partition, confirmed[partition])
                    tasks.create_task(filling)
    finally:
        await connections.close(connection)
    return confirmed


async def _fill_one(
    connection: AbstractConnection, payer: str, partition: int, confirmed: list[Submission]
) -> None:
    batch = [
        submission(transfer(payer, "shop-0001", "0.01", f"full-{partition}-{number:05}"))
        for number in range(MAX_LENGTH * 4)
    ]
    channel = await connections.confirmed_channel(connection)
    queue = names.command_queue(LAYOUT.number, partition)
    taken = await publish_until_refused(channel, queue, [message(each) for each in batch])
    await connections.close(channel)
    confirmed += batch[:taken]


async def decided_in_order(database: Database, submissions: Sequence[Submission]) -> bool:
    """Whether all have an outcome; where they do, each was applied, once, and in this order."""
    owner = await connect_owner(database.owner)
    try:
        rows = await owner.fetch(
            "SELECT command_id, kind FROM outcomes WHERE command_id = ANY ($1) ORDER BY number",
            [each.command_id for each in submissions],
        )
    finally:
        await owner.close()
    if len(rows) < len(submissions):
        return False
    assert [row["command_id"] for row in rows] == [each.command_id for each in submissions]
    assert {row["kind"] for row in rows} == {"TransferPosted"}
    return True


@pytest.mark.parametrize("orderly", [True, False], ids=["restarted", "killed"])
async def test_a_broker_goes_down_with_full_queues(
    town: Town, own: OwnBroker, orderly: bool
) -> None:
    """The database does not answer and every queue is full when the broker goes down, in an orderly
    way or as if by a power failure. Afterwards every confirmed command is in its partition, in its
    order, and is applied once; the gateway and the consumer come back by themselves."""
    town.booking.stall()
    confirmed = await fill(town, own)
    assert sum(len(batch) for batch in confirmed.values()) >= len(confirmed) * MAX_LENGTH
    await (own.server.stop() if orderly else own.server.kill())
    assert (await town.till.pay("broker-away-1", wait_s=1)).status_code in (202, 503)
    begun_s = time.monotonic()
    await own.server.start()
    print(f"the broker is up again after {time.monotonic() - begun_s:.1f} s")
    begun_s = time.monotonic()
    town.booking.resume()
    for batch in confirmed.values():
        await eventually(partial(decided_in_order, town.database, batch), BACK_WITHIN_S)
    await town.till.paying_again(BACK_WITHIN_S)
    print(f"all is decided and paying again after {time.monotonic() - begun_s:.1f} s more")
    moved = await town.till.in_books()
    assert {key for key in moved if key.startswith("full-")} == {
        each.command.external_unique_id  # type: ignore[union-attr]
        for batch in confirmed.values()
        for each in batch
    }


async def test_all_connections_are_closed_again_and_again_under_traffic(
    town: Town, own: OwnBroker
) -> None:
    """An operator's script closes every connection of gateway and consumer, four times while they
    work: callers have their answers, and the books say the same."""
    async with town.till.busy(callers=8):
        for _ in range(4):
            await town.till.paying_again(BACK_WITHIN_S)
            for user in (GATEWAY, CONSUMER):
                await own.close_connections(user)
            await until(lambda: not town.running.gateway.ready)
        print(f"paying again after {await town.till.paying_again(BACK_WITHIN_S):.2f} s")
    told = await town.till.reconcile()
    assert told["APPLIED"] > 32
    assert set(told) <= {"APPLIED", "EXPIRED", "REFUSED"}


async def test_a_frozen_broker_keeps_nobody_waiting(town: Town, own: OwnBroker) -> None:
    """The node stands still for 6 s (a stalled disk, a paused machine): whoever pays has an answer
    within its own wait, never a hang; and afterwards all goes on."""
    async with town.till.busy(callers=8, wait_s=1):
        own.freeze()
        frozen_s = time.monotonic()
        while time.monotonic() < frozen_s + 6:
            async with asyncio.timeout(10):
                waited = await town.till.pay(f"frozen-{time.monotonic():.3f}", wait_s=1)
                sent = await town.till.pay(f"frozen-{time.monotonic():.3f}", wait_s=None)
            assert waited.status_code in (202, 503, 504)
            assert sent.status_code in (202, 503)
        own.thaw()
        print(f"paying again after {await town.till.paying_again(BACK_WITHIN_S):.2f} s")
    told = await town.till.reconcile()
    assert told["APPLIED"] > 8
    assert set(told) <= {"APPLIED", "EXPIRED", "REFUSED"}
