"""What a consumer does between batches, on the lane's own connection.

Move the clocks of idle partitions, tell the neighbours that it lives and give them back what is
theirs, heed operators' interventions, wake partitions that nobody moves, tidy expired reservations,
and write the chain's heads to the log.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final

import asyncpg
import structlog

from consumers import metrics
from consumers.applying import TRANSIENT
from consumers.lane import Lane
from consumers.replies import ReplyPublisher
from consumers.subscriptions import Subscriptions
from consumers.writer import Writer
from ledger import heads, interventions
from ledger.deployment import Layout, read_deployment
from ledger.interventions import State
from topology import names
from topology.envelopes import encode_commands
from topology.errors import LayoutChanged

_TICK_EVERY_S: Final = 1.0
#: A partition whose time is ahead of the database's clock, because that was put back, goes on at
#: this pace until the clock has caught up: standing still it would let commands be applied long
#: after their deadlines, at full pace it would be ahead for ever.
_AHEAD_PACE: Final = 0.9
#: Owners tick every second.
_STANDING_S: Final = 2.0
_NEVER: Final = (datetime.min, 0.0)
_TICKS_PER_SWEEP: Final = 30
_TICKS_PER_HEADS_LOG: Final = 60

_log = structlog.get_logger(__name__)


class Housekeeping:
    """Called by the lane before every batch; does something once a second."""

    def __init__(
        self,
        *,
        writer: Writer,
        lane: Lane,
        subscriptions: Subscriptions,
        replies: ReplyPublisher,
        layout: Layout,
        slot: int,
        slots: int,
        process: str,
    ) -> None:
        self._writer, self._lane = writer, lane
        self._subscriptions, self._replies = subscriptions, replies
        self._layout, self._slot, self._slots, self._process = layout, slot, slots, process
        self._due_s = 0.0
        self._ticks = 0
        self._ticked_s = 0.0
        self._times: dict[int, datetime] = {}
        """Where the partitions' clocks stood then."""
        self._stood: dict[int, tuple[datetime, float]] = {}
        """Where each partition's clock stands, and since when."""

    async def __call__(self) -> None:
        """Raises ``LayoutChanged``; an unreachable database is left to the next batch."""
        if time.monotonic() < self._due_s:
            return
        self._due_s = time.monotonic() + _TICK_EVERY_S
        self._ticks += 1
        try:
            await self._tick()
        except TRANSIENT as error:
            _log.warning("housekeeping.failed", error=repr(error))
            self._writer.heed(error)

    async def _tick(self) -> None:
        connection = await self._writer.connection()
        # Partitions may be handed back below: what is not acked by then comes again to others.
        await self._lane.concluded()
        await self._require_layout()
        stopped = await interventions.in_force(connection)
        self._lane.paused = frozenset(p for p, i in stopped.items() if i.state is State.PAUSED)
        if self._subscriptions.connected:
            # Whoever cannot reach the broker must not be given partitions back.
            live_slots = await heads.announce(connection, self._slot, self._slots, self._process)
            await self._subscriptions.hand_back(live_slots)
        owned = self._writer.fence.epochs
        lost = await self._tick_clocks(connection) | self._writer.take_lost()
        for partition in self._lane.partitions:
            if partition.number in lost:
                await self._lane.discard(partition)
        metrics.OWNED.set(len(owned))
        await self._nudge()
        if self._ticks % _TICKS_PER_SWEEP == 0:
            metrics.SWEPT.inc(await heads.sweep(connection))
        if self._ticks % _TICKS_PER_HEADS_LOG == 0:
            await self._log_heads()

    async def _tick_clocks(self, connection: asyncpg.Connection) -> frozenset[int]:
        """Answers the partitions that another process owns by now."""
        owned = self._writer.fence.epochs
        now_s = time.monotonic()
        gone_by = timedelta(seconds=(now_s - self._ticked_s) * _AHEAD_PACE)
        earliest = {p: stood + gone_by for p, stood in self._times.items()}
        self._times = await heads.tick(connection, self._layout.number, owned, earliest)
        self._ticked_s = now_s
        return frozenset(owned) - self._times.keys()

    async def _require_layout(self) -> None:
        layout = (await read_deployment(await self._writer.connection())).layout
        if layout != self._layout:
            raise LayoutChanged(f"the books are in layout {layout}, this process in {self._layout}")

    async def _nudge(self) -> None:
        """Send an empty message to partitions whose clock stands still.

        The broker does not tell a standby that it has become the active consumer; the first message
        does. If another process is active, the message costs it nothing.
        """
        times = await heads.times(await self._writer.connection(), self._layout.number)
        now_s = time.monotonic()
        for number, stands in times.items():
            if self._stood.get(number, _NEVER)[0] != stands:
                self._stood[number] = (stands, now_s)
        for partition in self._lane.partitions:
            standing_s = now_s - self._stood.get(partition.number, _NEVER)[1]
            if partition.epoch is None and standing_s >= _STANDING_S:
                body = encode_commands(self._layout.number, datetime.now(UTC), None, ())
                self._replies.put(names.command_queue(self._layout.number, partition.number), body)

    async def _log_heads(self) -> None:
        connection = await self._writer.connection()
        owned = self._writer.fence.epochs
        for state in await heads.states(connection, self._layout.number, owned):
            _log.info(
                "chain.head",
                partition=state.partition,
                epoch=state.epoch,
                number=state.last_number,
                hash=state.last_hash.hex(),
                decided_at=state.decided_at.isoformat(),
            )
