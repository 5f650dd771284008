"""Messages of a bulk job to the partitions: in order, and never more than two without outcomes.

So a payment waits behind two messages of a file at most, whatever the file's size. A message that
was refused, or whose confirm did not come, is sent again before the next one: its commands carry
their ids with them, so that twice is as good as once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final
from uuid import UUID

import structlog
from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import DeliveryError

from ledger.outcomes import Outcome
from producers import metrics
from producers.bulk.pace import Pace
from topology import connections, names
from topology.deadlines import CONFIRM_TIMEOUT_S
from topology.errors import Unavailable

#: Without outcomes, per partition: one is applied while the next one is on its way.
MESSAGES_IN_FLIGHT: Final = 2
_RETRY_S: Final = 0.25
#: Replies take milliseconds; whoever waits this long is looked up, and sent again in the end.
_PATIENCE_S: Final = 2.0
_SEND_AGAIN_S: Final = 30.0

Encode = Callable[[], bytes]
Find = Callable[[Sequence[UUID]], Awaitable[dict[UUID, Outcome]]]

_log = structlog.get_logger(__name__)


class Broker:
    """One publishing connection with a channel per partition, opened again whenever it is lost."""

    def __init__(self, url: str, name: str, layout: int) -> None:
        self._url, self._name, self._layout = url, name, layout
        self._connection: AbstractConnection | None = None
        self._channels: dict[int, AbstractChannel] = {}
        self._opening = asyncio.Lock()

    @property
    def connected(self) -> bool:
        return self._connection is not None and not self._connection.is_closed

    async def publish(self, partition: int, body: bytes) -> None:
        """Returns once the broker has it safe. Raises ``Unavailable``, or one of ``BROKER_ERRORS``
        where nobody knows."""
        channel = await self._channel(partition)
        try:
            queue = names.command_queue(self._layout, partition)
            await connections.publish(channel, queue, body, CONFIRM_TIMEOUT_S)
        except DeliveryError as error:
            raise Unavailable(f"the broker refuses: {error!r}") from None
        except connections.BROKER_ERRORS:
            # Its confirms may come late: they must not be taken for the next message's.
            self._channels.pop(partition, None)
            await connections.close(channel)
            raise

    async def close(self) -> None:
        if self._connection is not None:
            await connections.close(self._connection)

    async def _channel(self, partition: int) -> AbstractChannel:
        async with self._opening:
            if self._connection is None or self._connection.is_closed:
                self._channels.clear()
                self._connection = await connections.connect(self._url, self._name)
            if connections.is_blocked(self._connection):
                raise Unavailable("the broker is blocked by a memory or disk alarm")
            channel = self._channels.get(partition)
            if channel is None or channel.is_closed:
                channel = await connections.confirmed_channel(self._connection)
                self._channels[partition] = channel
            return channel


class Awaited:
    """A message on its way: its commands, and those outcomes that have come."""

    __slots__ = ("complete", "missing", "outcomes")

    def __init__(self, command_ids: Sequence[UUID]) -> None:
        self.missing = set(command_ids)
        self.outcomes: dict[UUID, Outcome] = {}
        self.complete = asyncio.Event()

    def take(self, outcome: Outcome) -> None:
        if outcome.command_id in self.missing:
            self.missing.discard(outcome.command_id)
            self.outcomes[outcome.command_id] = outcome
            if not self.missing:
                self.complete.set()


class Lanes:
    """All partitions' lanes, shared by every file that is being worked on."""

    def __init__(
        self,
        broker: Broker,
        partitions: int,
        find: Find,
        require_open: Callable[[int], None],
        unavailable: tuple[type[Exception], ...],
    ) -> None:
        """``find`` looks outcomes up in the books and may raise ``unavailable``; ``require_open``
        raises ``Unavailable`` while a partition takes nothing."""
        self._broker, self._find, self._require_open = broker, find, require_open
        self._unavailable = unavailable
        self._turns = [asyncio.Lock() for _ in range(partitions)]
        self._room = [asyncio.Semaphore(MESSAGES_IN_FLIGHT) for _ in range(partitions)]
        self._awaited: dict[UUID, Awaited] = {}
        self.pace = Pace()

    def settle(self, outcomes: Sequence[Outcome]) -> None:
        """What a reply says."""
        self.pace.heard(outcomes)
        for outcome in outcomes:
            awaited = self._awaited.get(outcome.command_id)
            if awaited is not None:
                awaited.take(outcome)

    async def reserve(self, partition: int) -> None:
        """Wait until the partition may be sent another message; ``release`` gives the room back."""
        await self._room[partition].acquire()

    def release(self, partition: int) -> None:
        self._room[partition].release()

    async def send(self, partition: int, command_ids: Sequence[UUID], encode: Encode) -> Awaited:
        """Hand a message over, however long that takes; messages leave in the order of the calls.
        ``encode`` is asked for the body at every try, and may raise ``Unavailable``."""
        awaited = Awaited(command_ids)
        for command_id in command_ids:
            self._awaited[command_id] = awaited
        try:
            async with self._turns[partition]:
                await self._publish(partition, encode)
        except BaseException:
            self._forget(command_ids)
            raise
        return awaited

    async def outcomes(
        self, partition: int, awaited: Awaited, command_ids: Sequence[UUID], encode: Encode
    ) -> dict[UUID, Outcome]:
        """Wait for all outcomes of the message: from the reply, or from the books where it was
        lost; a message that the broker itself has lost is sent again."""
        again_s = asyncio.get_running_loop().time() + _SEND_AGAIN_S
        wait_s = _SEND_AGAIN_S
        try:
            while not awaited.complete.is_set():
                try:
                    async with asyncio.timeout(_PATIENCE_S):
                        await awaited.complete.wait()
                except TimeoutError:
                    await self._look_up(awaited)
                    now_s = asyncio.get_running_loop().time()
                    if awaited.missing and now_s > again_s:
                        # More and more rarely: while consumers are away every copy fills the queue.
                        wait_s *= 2
                        again_s = now_s + wait_s
                        _log.warning("bulk.sent_again", partition=partition)
                        async with self._turns[partition]:
                            await self._publish(partition, encode)
        finally:
            self._forget(command_ids)
        return awaited.outcomes

    async def _look_up(self, awaited: Awaited) -> None:
        try:
            found = await self._find(list(awaited.missing))
        except self._unavailable as error:
            _log.warning("bulk.look_up_failed", error=repr(error))
            return
        metrics.LOOKED_UP.inc(len(found))
        for outcome in found.values():
            awaited.take(outcome)

    async def _publish(self, partition: int, encode: Encode) -> None:
        while True:
            try:
                self._require_open(partition)
                await self._broker.publish(partition, encode())
            except (Unavailable, *connections.BROKER_ERRORS) as error:
                _log.info("bulk.waiting", partition=partition, reason=str(error) or repr(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return

    def _forget(self, command_ids: Sequence[UUID]) -> None:
        for command_id in command_ids:
            self._awaited.pop(command_id, None)
