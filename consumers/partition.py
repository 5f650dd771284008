"""One partition as this process consumes it: a channel of its own, a buffer, an epoch.

The broker's callbacks only fill the buffer: losing a channel cancels running callbacks, in the
middle of a COMMIT if they were doing one. A partition that is lost is never used again; what comes
after is a new object with a new channel and a new epoch.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.abc import DeliveredMessage

from ledger.commands import Command, PostStagedBatch, PostTransferGroup, ReplayDeadLetter
from topology import connections, names
from topology.envelopes import CommandMessage, decode_commands
from topology.errors import Malformed

#: Messages handed out ahead. The broker's length limit does not count them.
PREFETCH: Final = 4
_ACK_TIMEOUT_S: Final = 3.0

_log = structlog.get_logger(__name__)


def transfers_of(command: Command) -> int:
    """How many transfers a command may come to, 1 for what moves nothing."""
    match command:
        case PostTransferGroup(transfers=transfers):
            return len(transfers)
        case PostStagedBatch(lines=lines):
            return lines
        case ReplayDeadLetter(original=original):
            return transfers_of(original)
        case _:
            return 1


@dataclass(slots=True)
class Delivery:
    """One message: what it says, or why it cannot be read."""

    incoming: DeliveredMessage
    content: CommandMessage | Malformed
    arrived_s: float
    size: int
    """What applying it costs, in commands; a group counts as its transfers."""

    @property
    def commands(self) -> int:
        return 0 if isinstance(self.content, Malformed) else len(self.content.submissions)

    @property
    def readable(self) -> CommandMessage:
        """The commands; an unreadable message is parked and has none."""
        if isinstance(self.content, Malformed):
            raise self.content
        return self.content

    @property
    def alone(self) -> bool:
        """Must not share a transaction: it cannot be read, or it was delivered before and never
        acked, so that perhaps it was what ended its last consumer."""
        return isinstance(self.content, Malformed) or bool(self.incoming.redelivered)


@dataclass(slots=True)
class Partition:
    """A subscription to one partition's queue."""

    layout: int
    number: int
    on_arrival: Callable[[], None]
    at_once: Callable[[], bool]
    """Whether somebody waits for the next message and for nothing else."""
    epoch: int | None = None
    """Taken by the lane on the first delivery; None while this process may be a mere standby."""
    buffer: deque[Delivery] = field(default_factory=deque)
    channel: AbstractChannel | None = None
    lost: bool = False

    async def subscribe(self, connection: AbstractConnection) -> None:
        """Start consuming. Raises one of ``BROKER_ERRORS``; the partition is lost then."""
        try:
            self.channel = await connections.plain_channel(connection)
            self.channel.close_callbacks.add(self._on_channel_closed)
            with connections.losing_the_peer():
                async with asyncio.timeout(connections.CONNECT_TIMEOUT_S):
                    await self._consume(self.channel)
        except connections.BROKER_ERRORS:
            await self.close()
            raise

    async def _consume(self, channel: AbstractChannel) -> None:
        await channel.set_qos(prefetch_count=PREFETCH)
        # A queue that is deleted takes its consumer along and leaves the channel open.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(self._on_cancelled)
        queue = names.command_queue(self.layout, self.number)
        await connections.consume(channel, queue, self._receive, at_once=self.at_once)

    def _receive(self, message: DeliveredMessage) -> None:
        content: CommandMessage | Malformed
        try:
            content = decode_commands(message.body)
            size = sum(transfers_of(s.command) for s in content.submissions)
        except Malformed as error:
            content, size = error, 0
        self.buffer.append(Delivery(message, content, time.monotonic(), size))
        self.on_arrival()

    async def _on_cancelled(self, _: object) -> None:
        _log.warning("partition.cancelled_by_broker", partition=self.number)
        self._forget()

    def _on_channel_closed(self, *_: object) -> None:
        self._forget()

    def _forget(self) -> None:
        self.lost = True
        self.epoch = None
        self.buffer.clear()
        self.on_arrival()

    async def ack(self, last: Delivery) -> None:
        """Tell the broker that everything up to this message is in the books.

        A failure only means that the messages come again, to whoever owns the partition then.
        """
        if self.lost:
            return
        try:
            with connections.losing_the_peer():
                async with asyncio.timeout(_ACK_TIMEOUT_S):
                    await connections.ack(last.incoming)
        except connections.BROKER_ERRORS as error:
            _log.warning("partition.ack_failed", partition=self.number, error=repr(error))
            await self.close()

    async def close(self) -> None:
        """Give the partition back: what is not acked goes to the next consumer, in order.

        The channel is closed, never the consumer cancelled: after a cancel the broker hands the
        partition on while this process still works on it.
        """
        self._forget()
        if self.channel is not None and not self.channel.is_closed:
            await connections.close(self.channel)
