"""Taking one message after the other off a queue, for work that takes long and may be done twice.

The broker's callbacks only hand over: losing a channel cancels running callbacks. What is lost in
the middle of its work comes again; whoever does the work finds out whether it is done already.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from aio_pika.abc import AbstractConnection
from aiormq.abc import DeliveredMessage

from topology import connections

_RECONNECT_S: Final = 0.5
_LOOK_EVERY_S: Final = 0.5

_log = structlog.get_logger(__name__)

Work = Callable[[bytes], Awaitable[None]]


class WorkQueue:
    """``work`` is called with each message's body, and the message is taken off its queue when it
    returns; what it raises ends ``run``."""

    def __init__(self, url: str, name: str, queue: str, work: Work) -> None:
        self._url, self._name, self._queue, self._work = url, name, queue, work
        self.connected = False

    async def run(self) -> None:
        """Stay connected and work, until cancelled."""
        while True:
            try:
                connection = await connections.connect(self._url, self._name)
                try:
                    await self._serve(connection)
                finally:
                    self.connected = False
                    await connections.close(connection)
            except connections.BROKER_ERRORS as error:
                _log.warning("work_queue.connection_failed", queue=self._queue, error=repr(error))
            await asyncio.sleep(_RECONNECT_S)

    async def _serve(self, connection: AbstractConnection) -> None:
        """Until the channel is lost. Raises one of ``BROKER_ERRORS``."""
        arrived: asyncio.Queue[DeliveredMessage] = asyncio.Queue()
        channel = await connections.plain_channel(connection)
        with connections.losing_the_peer():
            async with asyncio.timeout(connections.CONNECT_TIMEOUT_S):
                await channel.set_qos(prefetch_count=1)
                await connections.close_when_cancelled(channel)
                await connections.consume(channel, self._queue, arrived.put_nowait)
        self.connected = True
        while not channel.is_closed:
            try:
                async with asyncio.timeout(_LOOK_EVERY_S):
                    message = await arrived.get()
            except TimeoutError:
                continue
            await self._work(message.body)
            with connections.losing_the_peer():
                async with asyncio.timeout(connections.CONNECT_TIMEOUT_S):
                    await connections.ack(message)
