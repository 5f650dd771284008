"""The event relay: the outcome log told to subscribers.

At least once and in order per partition: events are published with confirms, then the cursor moves
behind the last confirmed one, in one transaction that holds it. A relay that dies in between tells
the same events again, under the same numbers. Events that nobody subscribes to are passed over: an
exchange without subscribers is no fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence, Set
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

import asyncpg
import msgspec
import structlog
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractExchange
from aiormq.exceptions import PublishError

from ledger import lookup
from ledger.database import UNREACHABLE, connect_writer
from ledger.deployment import Deployment
from ledger.events import Event, events_of
from ledger.outcomes import Outcome
from ledger.sql import RELAY as SQL
from producers import metrics
from producers.stretches import Rest, Stretch, Told, marks_of
from topology import connections, names
from topology.command_ids import CommandIds
from topology.deadlines import CONFIRM_TIMEOUT_S
from topology.documents import Documents

_OUTCOMES_AT_A_TIME: Final = 500
#: A stretch ends after this, told whole or not, within an outcome too (a bulk file that was posted
#: all at once is one with 10,000 events): the transaction that holds the cursors is not left idle
#: for long, and other partitions wait no longer.
_STRETCH_S: Final = 0.5
#: How much more is read at a time while somebody hears of it.
_FASTER: Final = 8
_IDLE_S: Final = 0.1
#: The same while nobody hears what is told.
_UNHEARD_S: Final = 0.5
_RETRY_S: Final = 1.0
_DATABASE_ERRORS: Final = (*UNREACHABLE, asyncpg.PostgresError)

_log = structlog.get_logger(__name__)
_encoder = msgspec.json.Encoder()


class Relay:
    """Publishes the events of all partitions, as far as no other relay is at one."""

    def __init__(self, dsn: str, url: str, deployment: Deployment) -> None:
        self._dsn, self._url = dsn, url
        self._documents = Documents(CommandIds(deployment.command_id_secret))
        self._stopping = asyncio.Event()
        self._connected = False
        self._behind_s = 0.0
        self._reading = asyncio.Lock()
        """One connection for all partitions' stretches."""
        self._unheard: set[int] = set()
        """Partitions of whose last stretch something was told that nobody had subscribed to."""
        self._heard = True
        """Whether somebody had subscribed to the latest event."""
        self._rests: dict[int, Rest] = {}
        """Outcomes that are told in part, by partition: as good as the cursor while it stands
        before them, and lost with this process, which tells them from their beginning again."""

    @property
    def ready(self) -> bool:
        return self._connected

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> Mapping[str, object]:
        return {"connected": self._connected, "behind_s": round(self._behind_s, 3)}

    async def run(self) -> None:
        """Relay until stopped, through losses of either server."""
        while not self._stopping.is_set():
            try:
                await self._relay()
            except (*connections.BROKER_ERRORS, *_DATABASE_ERRORS) as error:
                _log.warning("relay.interrupted", error=repr(error))
            self._connected = False
            await self._pause(_RETRY_S)

    async def _relay(self) -> None:
        database = await connect_writer(self._dsn)
        try:
            # The confirms of a whole stretch are awaited inside one transaction.
            await database.execute("SET idle_in_transaction_session_timeout = '10s'")
            broker = await connections.connect(self._url, "relay")
            try:
                exchange = await self._exchange(broker)
                self._connected = True
                await self._follow(database, exchange, broker)
            finally:
                await connections.close(broker)
        finally:
            await database.close(timeout=3)

    async def _exchange(self, broker: AbstractConnection) -> AbstractExchange:
        channel: AbstractChannel = await connections.confirmed_channel(broker)
        with connections.losing_the_peer():
            return await channel.get_exchange(names.EVENTS_EXCHANGE, ensure=True)

    async def _follow(
        self, database: asyncpg.Connection, exchange: AbstractExchange, broker: AbstractConnection
    ) -> None:
        while not self._stopping.is_set():
            more = False
            if not connections.is_blocked(broker):
                more = await self._tell(database, exchange)
            await self._measure(database)
            if not more:
                # Rather some at once than each by itself: looking costs the same for both.
                await self._pause(_IDLE_S if self._heard else _UNHEARD_S)

    async def _tell(self, database: asyncpg.Connection, exchange: AbstractExchange) -> bool:
        """A stretch of every partition that no other relay is at; answers whether more waits."""
        async with database.transaction():
            stretches = [
                await self._next(database, partition, number)
                for partition, number in await database.fetch(SQL.claim)
            ]
            told = await self._publish_all(database, exchange, stretches)
            for each in told:
                if each.rest is not None:
                    self._rests[each.partition] = each.rest
                if each.number is not None:
                    await database.execute(SQL.advance, each.partition, each.number)
        for each in told:
            if each.error is not None:
                raise each.error
        full = any(s.rest or len(s.marks) == _OUTCOMES_AT_A_TIME for s in stretches)
        return full or any(each.cut for each in told)

    async def _publish_all(
        self,
        database: asyncpg.Connection,
        exchange: AbstractExchange,
        stretches: Sequence[Stretch],
    ) -> list[Told]:
        try:
            async with asyncio.TaskGroup() as publishing:
                telling = [
                    publishing.create_task(self._publish(database, exchange, stretch))
                    for stretch in stretches
                ]
        except ExceptionGroup as errors:
            # Whoever begins anew after a loss knows the errors themselves.
            raise errors.exceptions[0] from errors
        return [task.result() for task in telling]

    async def _next(self, database: asyncpg.Connection, partition: int, number: int) -> Stretch:
        """What comes behind the cursor, which stands at ``number``."""
        rest = self._rests.pop(partition, None)
        rows = await database.fetch(SQL.marks, partition, number, _OUTCOMES_AT_A_TIME)
        marks = marks_of(rows)
        if rest is not None and marks and marks[0].command_id == rest.outcome.command_id:
            return Stretch(partition, rest=rest)
        return Stretch(partition, marks)

    async def _publish(
        self, database: asyncpg.Connection, exchange: AbstractExchange, stretch: Stretch
    ) -> Told:
        """One partition's events, each confirmed before the next: a queue that refuses one and
        takes the following would break the order.

        Where the broker has nobody to give an event to, the stretch's other events of its key are
        not sent: all were decided before it was, and a subscription is for what comes after it.
        """
        until_s: float | None = None
        told = Told(stretch.partition)
        begun = 0 if stretch.rest is None else stretch.rest.begun
        unheard: set[str] = set()
        async for outcome in self._outcomes(database, stretch, unheard):
            # Not from the beginning: the first may have waited for other partitions' readings.
            until_s = until_s or time.monotonic() + _STRETCH_S
            events = events_of(outcome)
            for event in events[begun:]:
                try:
                    await self._publish_one(exchange, outcome, event, unheard)
                except connections.BROKER_ERRORS as error:
                    told.error, told.cut = error, True
                    break
                begun += 1
                told.cut = time.monotonic() > until_s
                if told.cut:
                    break
            if begun < len(events):
                # Numbers have no gaps: whatever stands before it is told, or passed over.
                told.number, told.rest = outcome.number - 1, Rest(outcome, begun)
                break
            told.number, begun = outcome.number, 0
            if told.cut:
                break
        else:
            if stretch.marks:
                told.number = stretch.marks[-1].number
        if unheard:
            self._unheard.add(stretch.partition)
        elif told.number is not None:
            self._unheard.discard(stretch.partition)
        return told

    async def _outcomes(
        self, database: asyncpg.Connection, stretch: Stretch, unheard: Set[str]
    ) -> AsyncIterator[Outcome]:
        """Those of which somebody may hear, read whole; few at first where lately nobody heard."""
        if stretch.rest is not None:
            yield stretch.rest.outcome
        at_a_time = 1 if stretch.partition in self._unheard else _OUTCOMES_AT_A_TIME
        marks = iter(stretch.marks)
        while True:
            due = islice((mark for mark in marks if mark.types - unheard), at_a_time)
            ids = [mark.command_id for mark in due]
            if not ids:
                return
            async with self._reading:
                outcomes = await lookup.outcomes(database, ids)
            for command_id in ids:
                yield outcomes[command_id]
            at_a_time = min(at_a_time * _FASTER, _OUTCOMES_AT_A_TIME)

    async def _publish_one(
        self, exchange: AbstractExchange, outcome: Outcome, event: Event, unheard: set[str]
    ) -> None:
        """Unless its type is one of those that nobody subscribes to, which are noted."""
        if event.type in unheard:
            return
        key = names.event_key(event.type, outcome.partition)
        body: dict[str, Any] = self._documents.event(event, outcome.partition, outcome.decided)
        message = Message(
            _encoder.encode(body),
            content_type="application/json",
            delivery_mode=DeliveryMode.PERSISTENT,
            type=event.type,
        )
        # A task group takes a cancelled task for done: the cursor would pass unsent events.
        try:
            with connections.losing_the_peer():
                await exchange.publish(message, key, mandatory=True, timeout=CONFIRM_TIMEOUT_S)
        except PublishError:
            unheard.add(event.type)
            self._heard = False
        else:
            self._heard = True
            metrics.EVENTS.labels(type=event.type).inc()

    async def _measure(self, database: asyncpg.Connection) -> None:
        oldest = await database.fetchval(SQL.oldest)
        self._behind_s = (
            0.0 if oldest is None else max(0.0, (datetime.now(UTC) - oldest).total_seconds())
        )
        metrics.EVENTS_BEHIND.set(self._behind_s)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return
