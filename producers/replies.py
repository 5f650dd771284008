"""Outcomes coming back: one exclusive queue per connection, one future per waiting caller.

A reply is a hint, the outcome in the books is the truth: a queue that is lost, or a reply that is
dropped, costs time and nothing else, because whoever still waits is looked up there.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from heapq import nsmallest
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog
from aiormq.abc import DeliveredMessage

from ledger import lookup
from ledger.database import UNREACHABLE, Queries
from ledger.outcomes import Outcome
from producers import metrics
from topology import connections, names
from topology.deliveries import never
from topology.envelopes import decode_outcomes
from topology.errors import Malformed
from topology.process import run_all

_RECONNECT_S: Final = 0.5
_QUEUE_LENGTH: Final = 10_000
_LOOK_EVERY_S: Final = 0.1
#: A caller whose wait ends within this is looked up once more before it is told "pending".
_LAST_LOOK_S: Final = 0.35
#: Replies take milliseconds: whoever waits this long is looked up, and again after as long.
_PATIENCE_S: Final = 1.0
_LOOK_LIMIT: Final = 500
#: With so few callers waiting a reply is not held up by others, and is not to be held up at all.
_FEW: Final = 16

_log = structlog.get_logger(__name__)


class Waiter:
    """One caller waiting for the outcome of one command."""

    __slots__ = ("command_id", "looked_s", "outcome", "queue", "until_s")

    def __init__(self, command_id: UUID, queue: str | None, until_s: float) -> None:
        loop = asyncio.get_running_loop()
        self.command_id = command_id
        self.queue = queue
        self.until_s = until_s
        self.outcome: asyncio.Future[Outcome] = loop.create_future()
        self.looked_s = loop.time()
        """When it was looked up last, or began to wait."""

    def is_doubtful(self, queue: str | None, now_s: float) -> bool:
        """Whether it cannot count on a reply: its queue is gone, it has waited for long, or its
        wait is about to end."""
        if self.outcome.done():
            return False
        if now_s - self.looked_s >= _PATIENCE_S:
            return True
        return self.queue is None or self.queue != queue or self.until_s - now_s < _LAST_LOOK_S

    def heed(self, fate: asyncio.Future[Any]) -> None:
        """Stop waiting with the exception of a command that was certainly not accepted."""
        if not fate.cancelled() and not self.outcome.done():
            error = fate.exception()
            if error is not None:
                self.outcome.set_exception(error)


class ReplyQueue:
    """An exclusive queue, and whoever takes the outcomes that come through it."""

    def __init__(
        self,
        url: str,
        connection_name: str,
        settle: Callable[[Sequence[Outcome]], object],
        at_once: Callable[[], bool] = never,
    ) -> None:
        self._url, self._connection_name, self._settle = url, connection_name, settle
        self._at_once = at_once
        self.name: str | None = None
        """None while there is none."""

    async def run(self) -> None:
        """Keep the queue, until cancelled."""
        while True:
            try:
                with connections.losing_the_peer():
                    await self._consume()
            except connections.BROKER_ERRORS as error:
                _log.warning("replies.connection_failed", error=repr(error))
            self.name = None
            await asyncio.sleep(_RECONNECT_S)

    async def _consume(self) -> None:
        connection = await connections.connect(self._url, self._connection_name)
        try:
            channel = await connections.plain_channel(connection)
            await connections.close_when_cancelled(channel)
            name = names.reply_queue()
            await channel.declare_queue(
                name,
                durable=False,
                exclusive=True,
                auto_delete=True,
                arguments={"x-max-length": _QUEUE_LENGTH, "x-overflow": "drop-head"},
                timeout=connections.CONNECT_TIMEOUT_S,
            )
            await connections.consume(
                channel, name, self._receive, at_once=self._at_once, no_ack=True
            )
            self.name = name
            _log.info("replies.connected", queue=name)
            await channel.closed()
            _log.warning("replies.connection_lost")
        finally:
            await connections.close(connection)

    def _receive(self, message: DeliveredMessage) -> None:
        try:
            outcomes = decode_outcomes(message.body)
        except Malformed as error:
            _log.error("replies.malformed", error=str(error))
            return
        self._settle(outcomes)


class Replies:
    """The reply queue of this process and everybody who waits on it."""

    def __init__(self, url: str, name: str, queries: Queries) -> None:
        self._queries = queries
        self._waiters: dict[UUID, Waiter] = {}
        self._queue = ReplyQueue(url, name, self._settle, self._are_few)

    @property
    def queue(self) -> str | None:
        """The name of the reply queue; None while there is none."""
        return self._queue.name

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def _are_few(self) -> bool:
        return len(self._waiters) <= _FEW

    def expect(self, command_id: UUID, until_s: float) -> Waiter:
        """Register before sending, so that no reply can come too early. ``until_s``: loop time."""
        waiter = self._waiters[command_id] = Waiter(command_id, self.queue, until_s)
        return waiter

    def forget(self, waiter: Waiter) -> None:
        self._waiters.pop(waiter.command_id, None)

    def release(self) -> None:
        """End every wait now, as if its time were up: for a process that is about to stop."""
        for waiter in self._waiters.values():
            if not waiter.outcome.done():
                waiter.outcome.set_exception(TimeoutError())

    async def run(self) -> None:
        """Keep the queue, and look up those whom it failed, until cancelled."""
        await run_all(self._queue.run(), self._look_up())

    def _settle(self, outcomes: Sequence[Outcome]) -> int:
        settled = 0
        for outcome in outcomes:
            waiter = self._waiters.get(outcome.command_id)
            if waiter is not None and not waiter.outcome.done():
                waiter.outcome.set_result(outcome)
                settled += 1
        return settled

    async def _look_up(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_EVERY_S)
            metrics.IN_FLIGHT.set(len(self._waiters))
            doubtful = self._doubtful()
            if not doubtful:
                continue
            try:
                found = await lookup.outcomes(self._queries, doubtful)
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                _log.warning("replies.look_up_failed", error=repr(error))
            else:
                metrics.LOOKED_UP.inc(self._settle(list(found.values())))

    def _doubtful(self) -> list[UUID]:
        now_s = asyncio.get_running_loop().time()
        doubtful = [w for w in self._waiters.values() if w.is_doubtful(self.queue, now_s)]
        # In turn: many that wait in vain must not keep others from their answer.
        chosen = nsmallest(_LOOK_LIMIT, doubtful, key=lambda waiter: waiter.looked_s)
        for waiter in chosen:
            waiter.looked_s = now_s
        return [waiter.command_id for waiter in chosen]
