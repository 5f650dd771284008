"""The event relay: the outcome log told to subscribers.

At least once and in order per partition: events are published with confirms, then the cursor moves
behind the last confirmed one, in one transaction that holds it. A relay that dies in between tells
the same events again, under the same numbers. Events that nobody subscribes to are passed over: an
exchange without subscribers is no fault.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
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
from topology import connections, names
from topology.command_ids import CommandIds
from topology.deadlines import CONFIRM_TIMEOUT_S
from topology.documents import Documents

_OUTCOMES_AT_A_TIME: Final = 500
#: A stretch ends after this, told whole or not, within an outcome too (a bulk file that was posted
#: all at once is one with 10,000 events): the transaction that holds the cursors is not left idle
#: for long, and other partitions wait no longer.
_STRETCH_S: Final = 0.5
_IDLE_S: Final = 0.1
_RETRY_S: Final = 1.0
_DATABASE_ERRORS: Final = (*UNREACHABLE, asyncpg.PostgresError)

_log = structlog.get_logger(__name__)
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Some of a partition's outcomes, in order."""

    outcomes: Sequence[Outcome]
    begun: int = 0
    """How many events of the first one were told before."""


@dataclass(slots=True)
class _Told:
    """How much of a stretch the broker has confirmed."""

    last: Outcome | None = None
    count: int = 0
    rest: _Stretch | None = None
    """The outcome that is told in part."""
    cut: bool = False
    """Whether it ended before its end."""
    error: Exception | None = None
    """Why, where the broker refused."""


class Relay:
    """Publishes the events of all partitions, as far as no other relay is at one."""

    def __init__(self, dsn: str, url: str, deployment: Deployment) -> None:
        self._dsn, self._url = dsn, url
        self._documents = Documents(CommandIds(deployment.command_id_secret))
        self._stopping = asyncio.Event()
        self._connected = False
        self._behind_s = 0.0
        self._rests: dict[int, _Stretch] = {}
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
                await self._pause(_IDLE_S)

    async def _tell(self, database: asyncpg.Connection, exchange: AbstractExchange) -> bool:
        """A stretch of every partition that no other relay is at; answers whether more waits."""
        async with database.transaction():
            stretches = [
                await self._next(database, partition, number)
                for partition, number in await database.fetch(SQL.claim)
            ]
            async with asyncio.TaskGroup() as publishing:
                telling = [
                    publishing.create_task(self._publish(exchange, stretch))
                    for stretch in stretches
                ]
            told = [task.result() for task in telling]
            for rest in filter(None, (stretch.rest for stretch in told)):
                self._rests[rest.outcomes[0].partition] = rest
            for last in filter(None, (stretch.last for stretch in told)):
                await database.execute(SQL.advance, last.partition, last.number)
        for each in told:
            if each.error is not None:
                raise each.error
        resumed = any(stretch.begun for stretch in stretches)
        count = sum(each.count for each in told)
        return resumed or count >= _OUTCOMES_AT_A_TIME or any(each.cut for each in told)

    async def _next(self, database: asyncpg.Connection, partition: int, number: int) -> _Stretch:
        """What comes behind the cursor, which stands at ``number``."""
        rest = self._rests.pop(partition, None)
        if rest is not None and rest.outcomes[0].number == number + 1:
            return rest
        return _Stretch(
            await lookup.outcome_range(database, partition, number + 1, _OUTCOMES_AT_A_TIME)
        )

    async def _publish(self, exchange: AbstractExchange, stretch: _Stretch) -> _Told:
        """One partition's events, each confirmed before the next: a queue that refuses one and
        takes the following would break the order.

        Where the broker has nobody to give an event to, the stretch's other events of its key are
        not sent: all were decided before it was, and a subscription is for what comes after it.
        """
        until_s = time.monotonic() + _STRETCH_S
        told, begun = _Told(), stretch.begun
        unheard: set[str] = set()
        for outcome in stretch.outcomes:
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
                told.rest = _Stretch([outcome], begun)
                break
            told.last, told.count, begun = outcome, told.count + 1, 0
            if told.cut:
                break
        return told

    async def _publish_one(
        self, exchange: AbstractExchange, outcome: Outcome, event: Event, unheard: set[str]
    ) -> None:
        """Unless its key is one of those that nobody subscribes to, which are noted."""
        key = names.event_key(event.type, outcome.partition)
        if key in unheard:
            return
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
            unheard.add(key)
        else:
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
