"""Publishing commands: what gathers while a message awaits its confirm leaves as the next one.

One lane per partition with a channel of its own, so that a confirm that does not come costs that
channel and nothing else. No timer: an idle lane sends a lone command at once.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from enum import Enum, auto
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import ChannelInvalidStateError, DeliveryError, PublishError

from producers import metrics
from topology import connections, names
from topology.deadlines import CONFIRM_TIMEOUT_S
from topology.envelopes import MAX_BYTES, MAX_COMMANDS, encode_commands
from topology.errors import Unavailable, Unroutable
from topology.process import run_all

_RECONNECT_S: Final = 0.5
_MAX_WAITING: Final = 4096

_log = structlog.get_logger(__name__)


class Fate(Enum):
    """What is known of a command that was handed over."""

    SENT = auto()
    """The broker confirmed it: it will be decided, or expire."""
    UNKNOWN = auto()
    """Written, and no confirm came: it may or may not be decided."""


class Parcel:
    """One encoded command on its way to the broker."""

    __slots__ = ("_taken", "_withdrawn", "body", "fate")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.fate: asyncio.Future[Fate] = asyncio.get_running_loop().create_future()
        self._taken = self._withdrawn = False

    def take(self) -> bool:
        """For the lane: put it into a message, unless nobody wants it sent any more."""
        self._taken = not self._withdrawn
        return self._taken

    def withdraw(self) -> bool:
        """For the waiter that gives up: whether it is certain now that it is never sent."""
        self._withdrawn = not self._taken
        return self._withdrawn

    def settle(self, fate: Fate) -> None:
        if not self.fate.done():
            self.fate.set_result(fate)

    def refuse(self, reason: Unavailable) -> None:
        """Nothing was written. The exception is marked as seen: its waiter may have gone."""
        if not self.fate.done():
            self.fate.set_exception(reason)
            self.fate.exception()


class Publisher:
    """A publishing connection with one lane per partition."""

    def __init__(
        self,
        url: str,
        name: str,
        layout: int,
        partitions: int,
        now: Callable[[], datetime],
        reply_to: Callable[[], str | None],
    ) -> None:
        self._url, self._name = url, name
        self._layout, self._now, self._reply_to = layout, now, reply_to
        self._connection: AbstractConnection | None = None
        self._lanes = [_Lane(self, partition) for partition in range(partitions)]

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._connection.is_closed

    def require_open(self) -> AbstractConnection:
        """The connection, if it can take a message now. Raises ``Unavailable``."""
        connection = self._connection
        if connection is None or connection.is_closed:
            raise Unavailable("the broker is not connected")
        if connections.is_blocked(connection):
            raise Unavailable("the broker is blocked by a memory or disk alarm", retry_after_s=5)
        return connection

    def send(self, partition: int, body: bytes) -> Parcel:
        """Hand one encoded command over. Raises ``Unavailable`` where that is certain already."""
        self.require_open()
        return self._lanes[partition].add(body)

    async def run(self) -> None:
        """Keep the connection open and the lanes going, until cancelled."""
        try:
            await run_all(self._stay_connected(), *(lane.run() for lane in self._lanes))
        finally:
            if self._connection is not None:
                await connections.close(self._connection)

    async def _stay_connected(self) -> None:
        while True:
            try:
                self._connection = await connections.connect(self._url, self._name)
                _log.info("publisher.connected")
                with connections.losing_the_peer():
                    await self._connection.closed()
                _log.warning("publisher.connection_lost")
            except connections.BROKER_ERRORS as error:
                _log.warning("publisher.connect_failed", error=repr(error))
            await asyncio.sleep(_RECONNECT_S)

    def encode(self, parcels: list[Parcel]) -> bytes:
        return encode_commands(
            self._layout, self._now(), self._reply_to(), (p.body for p in parcels)
        )

    def queue(self, partition: int) -> str:
        return names.command_queue(self._layout, partition)


class _Lane:
    """One partition's waiting list and channel."""

    def __init__(self, publisher: Publisher, partition: int) -> None:
        self._publisher, self._partition = publisher, partition
        self._waiting: deque[Parcel] = deque()
        self._arrived = asyncio.Event()
        self._channel: AbstractChannel | None = None

    def add(self, body: bytes) -> Parcel:
        if len(self._waiting) >= _MAX_WAITING:
            raise Unavailable("too many commands are waiting for the broker")
        parcel = Parcel(body)
        self._waiting.append(parcel)
        self._arrived.set()
        return parcel

    async def run(self) -> None:
        while True:
            await self._arrived.wait()
            await self._send_waiting()
            if not self._waiting:
                self._arrived.clear()

    async def _send_waiting(self) -> None:
        """One message. Nothing is taken before there is a channel to write it to: whoever gives up
        until then can be told for certain that it was not accepted."""
        try:
            channel = await self._open_channel()
        except Unavailable as error:
            self._refuse_waiting(error)
        except connections.BROKER_ERRORS as error:
            self._refuse_waiting(Unavailable(f"no channel to the broker: {error!r}"))
        else:
            parcels = self._take()
            if parcels:
                await self._publish(channel, parcels)

    def _refuse_waiting(self, reason: Unavailable) -> None:
        _refuse([parcel for parcel in self._waiting if parcel.take()], reason)
        self._waiting.clear()

    def _take(self) -> list[Parcel]:
        """As many as a message may hold, without those that nobody waits for any more."""
        parcels: list[Parcel] = []
        size = 0
        while self._waiting and len(parcels) < MAX_COMMANDS:
            parcel = self._waiting[0]
            if parcels and size + len(parcel.body) > MAX_BYTES:
                break
            self._waiting.popleft()
            if parcel.take():
                parcels.append(parcel)
                size += len(parcel.body)
        return parcels

    async def _publish(self, channel: AbstractChannel, parcels: list[Parcel]) -> None:
        try:
            body = self._publisher.encode(parcels)
        except Unavailable as error:
            _refuse(parcels, error)
            return
        metrics.COMMANDS_PER_MESSAGE.observe(len(parcels))
        try:
            queue = self._publisher.queue(self._partition)
            await connections.publish(channel, queue, body, CONFIRM_TIMEOUT_S)
        except PublishError:
            _refuse(parcels, Unroutable("the broker has no queue for this partition"))
        except DeliveryError:
            _refuse(parcels, Unavailable("the partition's queue is full"))
        except ChannelInvalidStateError as error:
            # Raised before anything is written.
            _refuse(parcels, Unavailable(f"the channel to the broker has closed: {error!r}"))
        except connections.BROKER_ERRORS as error:
            await self._lose(parcels, error)
        else:
            for parcel in parcels:
                parcel.settle(Fate.SENT)

    async def _lose(self, parcels: list[Parcel], error: Exception) -> None:
        """No confirm: the parcels' fate is unknown, and so is the channel's numbering."""
        metrics.UNCONFIRMED.inc(len(parcels))
        _log.warning("publisher.unconfirmed", partition=self._partition, error=repr(error))
        channel, self._channel = self._channel, None
        for parcel in parcels:
            parcel.settle(Fate.UNKNOWN)
        if channel is not None and not channel.is_closed:
            await connections.close(channel)

    async def _open_channel(self) -> AbstractChannel:
        connection = self._publisher.require_open()
        if self._channel is None or self._channel.is_closed:
            self._channel = await connections.confirmed_channel(connection)
        return self._channel


def _refuse(parcels: list[Parcel], reason: Unavailable) -> None:
    metrics.REFUSED.inc(len(parcels))
    for parcel in parcels:
        parcel.refuse(reason)
