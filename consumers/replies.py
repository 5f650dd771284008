"""Telling gateways what became of their commands: best effort, on a connection of its own.

The ack of a message never waits for its reply. A blocked broker stops reading from whoever
publishes; if the ack had to wait for that, consumers could not drain the very queues that fill its
memory.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq import Channel

from consumers import metrics
from topology import connections

_MAX_MESSAGES: Final = 2000
_PUBLISH_TIMEOUT_S: Final = 2.0
_RECONNECT_S: Final = 0.5
_FLUSH_S: Final = 1.0

_log = structlog.get_logger(__name__)


class ReplyPublisher:
    """A bounded buffer and the task that empties it; what does not fit is dropped and counted."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._waiting: asyncio.Queue[tuple[str, bytes]] = asyncio.Queue(_MAX_MESSAGES)
        self._connection: AbstractConnection | None = None
        self._channel: Channel | None = None
        self._written: asyncio.Future[None] | None = None
        """Done when the last message that went past the buffer is written."""

    def put(self, queue: str, body: bytes) -> None:
        """Send now, soon, or never."""
        if not self._post(queue, body):
            self._wait_for_turn(queue, body)

    def _post(self, queue: str, body: bytes) -> bool:
        """Past the buffer and the task that empties it, where the broker takes it at once: what a
        caller waits for is on its way before anything else is done. Order means nothing here."""
        if self._connection is None or self._channel is None:
            return False
        if connections.is_blocked(self._connection):
            return False
        written = connections.post(self._channel, queue, body)
        self._written = written or self._written
        return written is not None

    def _wait_for_turn(self, queue: str, body: bytes) -> None:
        try:
            self._waiting.put_nowait((queue, body))
        except asyncio.QueueFull:
            metrics.REPLIES_DROPPED.inc()

    async def flush(self) -> None:
        """Wait a moment for what is still to be sent."""
        try:
            async with asyncio.timeout(_FLUSH_S):
                await self._waiting.join()
                if self._written is not None:
                    await self._written
        except TimeoutError:
            return

    async def run(self) -> None:
        """Publish until cancelled."""
        while True:
            try:
                connection = await connections.connect(self._url, self._name)
                try:
                    await self._publish_all(connection)
                finally:
                    self._connection = self._channel = self._written = None
                    await connections.close(connection)
            except connections.BROKER_ERRORS as error:
                _log.warning("replies.connection_failed", error=repr(error))
            self._drop_all()
            await asyncio.sleep(_RECONNECT_S)

    async def _publish_all(self, connection: AbstractConnection) -> None:
        channel = await connections.plain_channel(connection)
        self._connection = connection
        self._channel = await connections.underlay(channel)
        while True:
            queue, body = await self._waiting.get()
            try:
                if connections.is_blocked(connection):
                    metrics.REPLIES_DROPPED.inc()
                else:
                    await self._publish(channel, queue, body)
            finally:
                self._waiting.task_done()

    async def _publish(self, channel: AbstractChannel, queue: str, body: bytes) -> None:
        # Not mandatory: a reply queue that is gone has nobody behind it who waits for this message.
        with connections.losing_the_peer():
            await channel.default_exchange.publish(
                Message(body, delivery_mode=DeliveryMode.NOT_PERSISTENT),
                queue,
                mandatory=False,
                timeout=_PUBLISH_TIMEOUT_S,
            )

    def _drop_all(self) -> None:
        while not self._waiting.empty():
            self._waiting.get_nowait()
            self._waiting.task_done()
            metrics.REPLIES_DROPPED.inc()
