"""The short way of a delivery: nothing overtakes, nothing is lost, wherever it is sent."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import cast

from aiormq import Channel
from aiormq.abc import DeliveredMessage, FrameType
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader

from topology.deliveries import ShortWay


class Consumer:
    """Takes deliveries by a short way that is open or not."""

    def __init__(self) -> None:
        self.is_open = True
        self.got: list[tuple[int | None, bytes]] = []
        self.frames: asyncio.Queue[tuple[int, FrameType]] = asyncio.Queue()
        channel = cast("Channel", SimpleNamespace(frames=self.frames))
        self.way = ShortWay(channel, self._receive, lambda: self.is_open)

    def _receive(self, message: DeliveredMessage) -> None:
        if message.body == b"bad":
            raise ValueError("bad")
        self.got.append((message.delivery_tag, message.body))

    async def put(self, *frames: FrameType) -> None:
        for frame in frames:
            await self.way.put((1, frame))

    async def delivered(self, tag: int, *parts: bytes) -> None:
        header = ContentHeader(body_size=sum(map(len, parts)))
        await self.put(Basic.Deliver("c", tag, False, "", "q"), header, *map(ContentBody, parts))

    async def taken(self, tag: int, body: bytes) -> None:
        """As the library ends the long way, with the message's three frames."""
        deliver, header, _ = [(await self.way.get())[1] for _ in range(3)]
        assert isinstance(deliver, Basic.Deliver)
        assert isinstance(header, ContentHeader)
        assert deliver.delivery_tag == tag
        await self.way.receive(DeliveredMessage(deliver, header, body, cast("Channel", None)))


async def test_the_short_way_hands_over_at_once() -> None:
    consumer = Consumer()
    await consumer.delivered(1, b"one")
    await consumer.delivered(2)
    await consumer.delivered(3, b"in ", b"three ", b"parts")
    assert consumer.got == [(1, b"one"), (2, b""), (3, b"in three parts")]
    assert consumer.frames.empty()


async def test_nothing_overtakes_what_is_on_the_long_way() -> None:
    consumer = Consumer()
    consumer.is_open = False
    await consumer.delivered(1, b"one")
    consumer.is_open = True
    await consumer.delivered(2, b"two")
    assert consumer.got == []
    await consumer.taken(1, b"one")
    await consumer.delivered(3, b"three")
    await consumer.taken(2, b"two")
    assert consumer.got == [(1, b"one"), (2, b"two")]
    await consumer.delivered(4, b"four")
    await consumer.taken(3, b"three")
    assert consumer.got == [(1, b"one"), (2, b"two"), (3, b"three")]
    await consumer.taken(4, b"four")
    await consumer.delivered(5, b"five")
    assert consumer.got[-2:] == [(4, b"four"), (5, b"five")]


async def test_a_message_stays_on_its_way_when_the_answer_changes() -> None:
    consumer = Consumer()
    await consumer.put(Basic.Deliver("c", 1, False, "", "q"))
    consumer.is_open = False
    await consumer.put(ContentHeader(body_size=3), ContentBody(b"one"))
    assert consumer.got == [(1, b"one")]
    await consumer.put(Basic.Deliver("c", 2, False, "", "q"))
    consumer.is_open = True
    await consumer.put(ContentHeader(body_size=3), ContentBody(b"two"))
    assert consumer.frames.qsize() == 3


async def test_other_frames_go_to_the_channel() -> None:
    consumer = Consumer()
    await consumer.put(Basic.ConsumeOk("c"))
    await consumer.delivered(1, b"one")
    await consumer.put(Basic.Cancel("c"))
    assert [type((await consumer.way.get())[1]) for _ in range(2)] == [
        Basic.ConsumeOk,
        Basic.Cancel,
    ]
    assert consumer.got == [(1, b"one")]


async def test_a_receiver_that_fails_costs_its_message_alone() -> None:
    consumer = Consumer()
    await consumer.delivered(1, b"bad")
    await consumer.delivered(2, b"good")
    assert consumer.got == [(2, b"good")]
