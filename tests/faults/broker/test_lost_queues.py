"""Queues vanish under living connections: an operator deletes them, or their process is lost."""

from __future__ import annotations

from producers import metrics
from tests.faults.broker.own_broker import OwnBroker
from tests.faults.towns import Town
from tests.integration.ledger_driver import LAYOUT
from tests.polling import until
from topology import names


async def test_the_reply_queue_is_deleted(town: Town, own: OwnBroker) -> None:
    """Its connection and channel stay open, so nothing else tells: the gateway makes a new queue,
    and callers are answered by replies again instead of from the books."""
    machinery = town.running.gateway._machinery
    assert machinery is not None
    queue = machinery.replies.queue
    assert queue is not None
    await own.ctl("delete_queue", queue, "-p", "sov")
    await until(lambda: machinery.replies.queue not in (None, queue))
    looked_up = metrics.LOOKED_UP._value.get()
    assert (await town.till.pay("after-delete")).status_code == 201
    assert metrics.LOOKED_UP._value.get() == looked_up
    assert await town.till.reconcile() == {"APPLIED": 1}


async def test_a_command_queue_is_deleted_and_declared_again(town: Town, own: OwnBroker) -> None:
    """What it held is lost and expires; the consumer, whose connection never broke, subscribes to
    the new queue by itself. While there is none, payments are refused."""
    for partition in range(LAYOUT.partitions):
        queue = names.command_queue(LAYOUT.number, partition)
        await own.ctl("delete_queue", queue, "-p", "sov")
    assert (await town.till.pay("no-queue-01")).status_code == 503
    async with own.declared():
        print(f"paying again after {await town.till.paying_again(within_s=30):.2f} s")
    told = await town.till.reconcile()
    assert told["APPLIED"] == LAYOUT.partitions
    assert set(told) <= {"APPLIED", "REFUSED", "EXPIRED"}
