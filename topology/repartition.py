"""From N partitions to M while callers go on: stop the intake, drain, move the books, open again.

What makes it safe is the move (``ledger.layouts``), one transaction of the books: before it only
the old queues' consumers can decide, after it only the new ones'. Draining makes it smooth: without
it the commands under way would be refused as ``unavailable`` and had to be repeated. A producer
that has not noticed still writes to the old queues; its messages are brought over and refused in
the books, so that whoever waits for them hears so. When nobody can be that late any more, the old
queues are deleted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final, NamedTuple

import asyncpg
from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import ChannelNotFoundEntity

from ledger import interventions, layouts
from ledger.database import UNREACHABLE
from ledger.deployment import Layout, read_deployment
from ledger.interventions import State
from topology import connections, names
from topology.deadlines import CLOCK_STALE_S, CONFIRM_TIMEOUT_S, INTAKE_LOOK_EVERY_S
from topology.declare import declare

#: Every producer that reaches the books has seen the intervention by then.
_NOTICED_S: Final = INTAKE_LOOK_EVERY_S * 3
#: And one that does not reach them has stopped sending by then.
_NOBODY_SENDS_S: Final = CLOCK_STALE_S + CONFIRM_TIMEOUT_S + 3
_LOOK_EVERY_S: Final = 0.25
#: The last batches are in their consumers' hands, where the broker does not count them.
_EMPTY_LOOKS: Final = 4
#: Beyond the drain's own limit: time for the move, whose locks are waited for.
_MARGIN_S: Final = 15.0
_PREFETCH: Final = 50

Say = Callable[[str], None]


class NotDrained(Exception):
    """Commands still waited when the time was up. Nothing was changed, and the intake is open."""


class Stopped(Exception):
    """Partitions are paused or drained by somebody else: resume them first."""


class OldQueue(NamedTuple):
    """A queue of a layout that is not in force any more."""

    name: str
    partition: int


class Repartitioning:
    """``connection``: the books' owner; ``broker``: its administrator."""

    def __init__(
        self,
        connection: asyncpg.Connection,
        broker: AbstractConnection,
        *,
        actor: str,
        say: Say,
        drain_limit_s: float = 30.0,
    ) -> None:
        self._books, self._broker = connection, broker
        self._actor, self._say, self._drain_limit_s = actor, say, drain_limit_s

    async def run(self, partitions: int) -> Layout:
        """Go over to so many partitions; answers the layout in force afterwards.

        With the present number it only finishes what an earlier run left: old queues. Raises
        ``NotDrained``, ``Stopped``, ``layouts.LayoutMoved``, ``layouts.NoLayoutLeft``, or an error
        of either server; before the books have moved nothing is changed by any of them.
        """
        layout = (await read_deployment(self._books)).layout
        if layout.partitions != partitions:
            layout = await self._go_over(layout, partitions)
            self._say(f"layout {layout.number} with {partitions} partitions is in force")
        await self._bring_over(layout)
        return layout

    async def _go_over(self, old: Layout, partitions: int) -> Layout:
        stopped = await interventions.in_force(self._books)
        if stopped:
            raise Stopped(f"partitions {sorted(stopped)} are stopped: resume them first")
        reason = f"repartitioning from {old.partitions} to {partitions}"
        everything = range(old.partitions)
        await interventions.record(
            self._books,
            everything,
            State.DRAINING,
            actor=self._actor,
            reason=reason,
            lasting=timedelta(seconds=self._drain_limit_s + _MARGIN_S),
        )
        try:
            await self._drain(old)
            await declare(self._broker, Layout(old.number + 1, partitions))
            return await layouts.move(
                self._books, old, partitions, actor=self._actor, reason=reason
            )
        except BaseException:
            # Where the books are away the drain ends by itself.
            with suppress(*UNREACHABLE, asyncpg.PostgresError):
                await interventions.record(
                    self._books,
                    everything,
                    State.OPEN,
                    actor=self._actor,
                    reason=f"gave up {reason}",
                )
            raise

    async def _drain(self, old: Layout) -> None:
        self._say("the intake is stopped, queues drain")
        await asyncio.sleep(_NOTICED_S)
        queues = [names.command_queue(old.number, p) for p in range(old.partitions)]
        waiting, empty_looks = 0, 0
        try:
            async with asyncio.timeout(self._drain_limit_s):
                while empty_looks < _EMPTY_LOOKS:
                    waiting = sum([await self._depth(queue) or 0 for queue in queues])
                    empty_looks = 0 if waiting else empty_looks + 1
                    await asyncio.sleep(_LOOK_EVERY_S)
        except TimeoutError:
            raise NotDrained(
                f"{waiting} messages still waited after {self._drain_limit_s:g} s: see ./sov"
                " status; the intake is open again and nothing was changed"
            ) from None

    async def _bring_over(self, layout: Layout) -> None:
        """Move what still comes to old queues until nobody can send there, then delete them."""
        old = await self._old_queues(layout)
        if not old:
            return
        self._say(f"watching {len(old)} old queues for {_NOBODY_SENDS_S:g} s")
        source = await connections.plain_channel(self._broker)
        target = await connections.confirmed_channel(self._broker)
        try:
            brought = await self._forward(source, target, old, layout)
        finally:
            # Closing the channel gives back what was not acked; only then is a queue empty or not.
            await connections.close(source)
            await connections.close(target)
        if brought:
            self._say(f"{brought} late messages were brought over, to be refused")
        for queue in old:
            await self._delete(queue)

    async def _forward(
        self,
        source: AbstractChannel,
        target: AbstractChannel,
        old: Sequence[OldQueue],
        layout: Layout,
    ) -> int:
        brought = 0

        async def forward(partition: int, late: AbstractIncomingMessage) -> None:
            nonlocal brought
            await target.default_exchange.publish(
                Message(late.body, delivery_mode=DeliveryMode.PERSISTENT),
                names.command_queue(layout.number, partition % layout.partitions),
                mandatory=True,
                timeout=CONFIRM_TIMEOUT_S,
            )
            await late.ack()
            brought += 1

        await source.set_qos(prefetch_count=_PREFETCH)
        for name, partition in old:
            queue = await source.get_queue(name, ensure=False)
            await queue.consume(partial(forward, partition))
        await asyncio.sleep(_NOBODY_SENDS_S)
        return brought

    async def _delete(self, queue: OldQueue) -> None:
        if await self._depth(queue.name):
            self._say(f"{queue.name} still has messages: run the command again")
            return
        channel = await connections.plain_channel(self._broker)
        try:
            await channel.queue_delete(queue.name)
        finally:
            await connections.close(channel)

    async def _old_queues(self, layout: Layout) -> list[OldQueue]:
        former = await layouts.before(self._books, layout)
        candidates = [
            OldQueue(names.command_queue(old.number, partition), partition)
            for old in former
            for partition in range(old.partitions)
        ]
        return [queue for queue in candidates if await self._depth(queue.name) is not None]

    async def _depth(self, queue: str) -> int | None:
        """Messages that nobody has taken yet; None where there is no such queue."""
        # A channel each: asking for a queue that is not there closes the channel.
        channel = await connections.plain_channel(self._broker)
        try:
            declared = await channel.declare_queue(
                queue, passive=True, timeout=connections.CONNECT_TIMEOUT_S
            )
        except ChannelNotFoundEntity:
            return None
        finally:
            await connections.close(channel)
        return declared.declaration_result.message_count or 0
