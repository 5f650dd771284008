"""Replies are lost in every way they can be: who waits is answered from the books, and soon from a
new queue."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiormq.exceptions import ChannelLockedResource

from producers import replies as replies_module
from producers.replies import Replies
from tests.databases import Database
from tests.faults.towns import Town, faulty_town
from tests.integration.processes import Broker
from tests.polling import until
from tests.proxy import BASIC_PUBLISH, Then, Way
from topology import connections

BASIC_DELIVER = bytes((0, 60, 0, 60))


@pytest.fixture
async def town(database: Database, broker: Broker) -> AsyncIterator[Town]:
    async with faulty_town(database, broker) as ready:
        yield ready


def replies_of(town: Town) -> Replies:
    machinery = town.running.gateway._machinery
    assert machinery is not None
    return machinery.replies


async def test_the_reply_connection_is_cut_with_the_reply_on_it(town: Town) -> None:
    """The reply has left the broker and never arrives; its queue is gone with its connection."""
    before = replies_of(town).queue
    trap = town.publishing.trap(Way.TO_CLIENT, BASIC_DELIVER, Then.CUT_BEFORE)
    answer = await town.till.pay("reply-cut-01")
    assert trap.sprung.is_set()
    assert answer.status_code == 201, answer.text
    await until(lambda: replies_of(town).queue not in (None, before))
    assert await town.till.reconcile() == {"APPLIED": 1}


async def test_the_reply_never_leaves_its_consumer(town: Town) -> None:
    """The consumer's connection dies over the reply: nobody sends it again, and nobody has to."""
    trap = town.delivering.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.CUT_BEFORE)
    answer = await town.till.pay("reply-unsent")
    assert trap.sprung.is_set()
    assert answer.status_code == 201, answer.text
    await town.till.paying_again(within_s=10)
    assert set(await town.till.reconcile()) <= {"APPLIED"}


async def test_a_new_reply_queue_does_not_wait_for_the_old_one(
    town: Town, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Connections are lost without the broker noticing, so the exclusive queue lives on and belongs
    to the dead connection: under its old name it would be refused (405) until that is reaped. The
    new one has a name of its own and is there at once, however often this happens."""
    monkeypatch.setattr(replies_module, "_RECONNECT_S", 0.02)
    seen: list[str] = []
    for number in range(5):
        queue = replies_of(town).queue
        assert queue is not None
        seen.append(queue)
        await town.publishing.cut(unnoticed=True)
        await until(lambda: replies_of(town).queue not in (None, seen[-1]))
        with pytest.raises(ChannelLockedResource):
            await declare_passively(broker, queue)
        await until(lambda: town.running.gateway.ready)
        answer = await town.till.pay(f"after-cut-{number}")
        assert answer.status_code == 201, answer.text
    assert len(set(seen)) == 5
    assert await town.till.reconcile() == {"APPLIED": 5}


async def declare_passively(broker: Broker, queue: str) -> None:
    channel = await connections.plain_channel(broker.connection)
    try:
        await channel.declare_queue(queue, passive=True)
    finally:
        await connections.close(channel)
