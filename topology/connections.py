"""Connections to RabbitMQ.

Plain ones, not aio-pika's robust kind: what has to happen after a loss differs for every user
(publishers must know what is unknown, consumers must forget what they were handed, reply queues
need a fresh name), so each reopens its own, in one visible place.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import Channel
from aiormq.abc import ChannelFrame, DeliveredMessage
from aiormq.exceptions import AMQPError
from pamqp.body import ContentBody
from pamqp.commands import Basic
from pamqp.header import ContentHeader
from yarl import URL

from topology.deliveries import Receive, ShortWay, never

#: A frozen peer is noticed after two to three of these.
HEARTBEAT_S: Final = 10
CONNECT_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 3.0

_TRANSIENT: Final = 1
_PERSISTENT: Final = 2

#: What aio-pika and aiormq raise when a connection or a channel is gone or refuses.
BROKER_ERRORS: Final = (AMQPError, OSError, TimeoutError, RuntimeError)


@contextmanager
def losing_the_peer() -> Iterator[None]:
    """Around every wait for the broker: raises ``ConnectionResetError`` where it was given up.

    When the library finds that a peer has gone silent it cancels its own reader, and hands that
    very ``CancelledError`` to everybody who waits for a frame. A loop that took it for its own end
    would stop for good, and a task group would take the task for done [both tried: a broker that
    was frozen for a while left every lane with traffic dead].
    """
    try:
        yield
    except asyncio.CancelledError:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise ConnectionResetError("the broker has gone silent") from None


async def connect(url: str, name: str) -> AbstractConnection:
    """A connection that the broker shows under ``name``. Raises one of ``BROKER_ERRORS``."""
    try:
        with losing_the_peer():
            return await aio_pika.connect(
                URL(url).update_query(heartbeat=HEARTBEAT_S, name=name),
                timeout=CONNECT_TIMEOUT_S,
                connection_class=_Connection,
            )
    except StopAsyncIteration:
        # The library's own way to say that there is nothing more to read, out of its iterator.
        raise ConnectionResetError("the broker closed the connection at once") from None


class _Connection(aio_pika.Connection):
    """aio-pika's own, which otherwise never counts as closed when it was lost, not closed by us."""

    async def _on_connection_close(self, closing: asyncio.Future[None]) -> None:
        await super()._on_connection_close(closing)
        if not self._closed.done():
            self._closed.set_result(True)


async def confirmed_channel(connection: AbstractConnection) -> AbstractChannel:
    """A channel whose publishes return once the broker has them safe, and raise otherwise.

    ``DeliveryError`` where the broker refused, ``PublishError`` where it had no queue for it.
    """
    channel = connection.channel(publisher_confirms=True, on_return_raises=True)
    with losing_the_peer():
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await channel.initialize()
    return channel


async def plain_channel(connection: AbstractConnection) -> AbstractChannel:
    """A channel without confirms: for consuming, and for replies that may be lost."""
    channel = connection.channel(publisher_confirms=False)
    with losing_the_peer():
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            await channel.initialize()
    return channel


async def consume(
    channel: AbstractChannel,
    queue: str,
    receive: Receive,
    *,
    at_once: Callable[[], bool] = never,
    no_ack: bool = False,
) -> None:
    """Have ``receive`` called with every message of the queue, in order; while ``at_once`` says so,
    the moment it has arrived. One consumer per channel. Raises one of ``BROKER_ERRORS``.

    By the layer below aio-pika: its own message objects and the second task that it makes for each
    of them cost a lone transfer a tenth of a millisecond on each way.
    """
    below = await underlay(channel)
    way = ShortWay(below, receive, at_once)
    # The three methods of a queue that the library calls on it are all it has.
    below.frames = way  # type: ignore[assignment]
    await below.basic_consume(queue, way.receive, no_ack=no_ack)


async def publish(channel: AbstractChannel, queue: str, body: bytes, timeout_s: float) -> None:
    """Have the broker keep the message; returns once it confirms. For a ``confirmed_channel``.

    Raises ``PublishError`` where there is no such queue, ``DeliveryError`` where it is full,
    ``ChannelInvalidStateError`` where nothing was written, else one of ``BROKER_ERRORS``. By the
    layer below aio-pika, as ``consume``; and no wait of its own for the socket's buffer, as the
    confirm, of which every channel awaits one at a time, cannot come before.
    """
    with losing_the_peer():
        await (await underlay(channel)).basic_publish(
            body,
            routing_key=queue,
            properties=Basic.Properties(delivery_mode=_PERSISTENT),
            mandatory=True,
            timeout=timeout_s,
            wait=False,
        )


async def underlay(channel: AbstractChannel) -> Channel:
    """The library's channel below aio-pika's, for ``post``. Raises one of ``BROKER_ERRORS``."""
    channel_below = await channel.get_underlay_channel()
    if not isinstance(channel_below, Channel):
        raise TypeError(f"not a channel of aiormq's: {channel_below!r}")
    return channel_below


def post(channel: Channel, queue: str, body: bytes) -> asyncio.Future[None] | None:
    """Hand a message that may be lost to the connection's writer, here and now; answers what is
    done once it is written, or None where the writer is behind or the message needs several frames.

    The library's own publishing does the same in more steps, each a turn of the event loop.
    """
    if len(body) > channel.max_content_size or channel.write_queue.full() or channel.is_closed:
        return None
    written = asyncio.get_running_loop().create_future()
    header = ContentHeader(
        properties=Basic.Properties(delivery_mode=_TRANSIENT), body_size=len(body)
    )
    # With a future to resolve the writer waits for the socket's buffer: its queue fills up behind
    # it, and tells us that the broker does not read.
    channel.write_queue.put_nowait(
        ChannelFrame.marshall(
            channel_number=channel.number,
            frames=(Basic.Publish(routing_key=queue), header, ContentBody(body)),
            drain_future=written,
        )
    )
    return written


async def ack(last: DeliveredMessage) -> None:
    """Take this message and all before it on its channel off their queue."""
    if last.delivery_tag is not None:
        await last.channel.basic_ack(last.delivery_tag, multiple=True)


async def close_when_cancelled(channel: AbstractChannel) -> None:
    """Close the channel when the broker cancels a consumer on it, as if it had been lost.

    The broker does that when the queue is deleted or lost; the channel lives on, and nothing ever
    comes through it again, even where the queue is there again.
    """
    closing: set[asyncio.Task[None]] = set()

    def cancelled(_: object) -> None:
        # A task: this is called by the reader that a close has to wait for.
        task = asyncio.ensure_future(close(channel))
        closing.add(task)
        task.add_done_callback(closing.discard)

    with losing_the_peer():
        underlay = await channel.get_underlay_channel()
    underlay.on_consumer_cancel_callbacks.add(cancelled)


def is_blocked(connection: AbstractConnection) -> bool:
    """Whether the broker has stopped reading from us (memory or disk alarm).

    The library only logs it; its ``ready()`` does not return while blocked, so one step of that
    coroutine tells.
    """
    transport = connection.transport
    if transport is None:
        return True
    step = transport.connection.ready()
    try:
        step.send(None)
    except StopIteration:
        return False
    step.close()
    return True


def broker_version(connection: AbstractConnection) -> tuple[int, ...]:
    """The broker's version, such as (3, 10, 8)."""
    if connection.transport is None:
        return (0,)
    properties = connection.transport.connection.server_properties
    version = str(properties.get("version", "0"))
    return tuple(int(part) for part in version.split(".")[:3] if part.isdigit())


async def close(resource: AbstractConnection | AbstractChannel) -> None:
    """Close within bounds; a peer that does not answer is left to its heartbeat."""
    closing = asyncio.ensure_future(resource.close())
    try:
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            # We stop waiting for a channel's end, but never interrupt it: the library would ask for
            # it once more, and a broker that was merely slow ends the whole connection for that
            # (504, "expected 'channel.open'") [tried].
            await (asyncio.shield(closing) if isinstance(resource, AbstractChannel) else closing)
    except (*BROKER_ERRORS, asyncio.CancelledError):
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise
