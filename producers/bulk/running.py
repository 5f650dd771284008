"""Working a file off line by line: lots to messages, outcomes to results.

Some lots at a time are in memory. A lot is marked before the first of its lines is sent; one that
was marked by a process that has ended is looked up line by line, and what has no outcome is sent
again under the same command id.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple
from uuid import UUID

from ledger import batches
from ledger.batches import Batch, Wish
from ledger.commands import Submission
from ledger.outcomes import Outcome
from ledger.rejections import Code, Rejection
from ledger.staged import Word
from producers.bulk.opening import MOST_ATTEMPTS, Opener, OpenLot, Services, command_of
from producers.bulk.results import Amounts, rejected, result_of, unsent
from topology.envelopes import MAX_BYTES, encode_commands, encode_submission
from topology.errors import Unavailable
from topology.partitions import partition_of

_LOTS_IN_MEMORY: Final = 16
#: How long outcomes of what was sent are awaited before a file rests; they are found later, too.
_REST_WITHIN_S: Final = 5.0
_LOOK_EVERY_S: Final = 0.5

_CANCELLED: Final = "the file was cancelled before this line was sent"
_EXPIRED: Final = "the file's time was over before this line was sent"


class _Item(NamedTuple):
    """A line that is to be sent."""

    lot: OpenLot
    place: int
    attempt: int


class Run:
    """One file."""

    def __init__(self, services: Services, batch: Batch, deadline: datetime) -> None:
        self._services, self._batch, self._deadline = services, batch, deadline
        self._opener = Opener(services, batch, deadline)
        self._wish = batch.wish
        self._waiting: dict[int, deque[_Item]] = {}
        self._arrived: dict[int, asyncio.Event] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._open_lots = self._in_flight = 0
        self._moved = asyncio.Event()

    def heed(self, wish: Wish) -> None:
        """Whoever has begun to rest rests: then it is run again."""
        if self._wish is not Wish.PAUSE:
            self._wish = wish

    async def run(self) -> Wish:
        """Work until every line has its last word, or the wish is to pause; answers the wish that
        was followed. Raises ``LeaseLost``, or what the database raises: run it again then."""
        async with asyncio.TaskGroup() as group:
            await self._load(group)
            while self._open_lots and self._wish is not Wish.PAUSE:
                await self._move()
            await self._rest()
            for task in self._tasks:
                task.cancel()
        return self._wish

    async def _load(self, group: asyncio.TaskGroup) -> None:
        last = -1
        while self._wish is not Wish.PAUSE:
            room = _LOTS_IN_MEMORY - self._open_lots
            if room < _LOTS_IN_MEMORY // 2:
                await self._move()
                continue
            lots = await batches.open_lots(self._services.queries, self._batch.batch_id, last, room)
            if not lots:
                return
            last = lots[-1].number
            opened = await self._opener.open(lots)
            self._open_lots += len(opened)
            await self._mark(opened)
            for lot in opened:
                for index in lot.unsettled():
                    self._enqueue(group, _Item(lot, index, lot.attempts.get(index, 0)))
                await self._finish_if_done(lot)
                await asyncio.sleep(0)

    async def _mark(self, opened: Sequence[OpenLot]) -> None:
        """Lots that are to be sent are marked; the lines of those that are not are settled."""
        fresh = [lot for lot in opened if not lot.doubtful]
        reason = self._not_to_be_sent()
        if reason is not None:
            for lot in fresh:
                for index in lot.unsettled():
                    lot.settle(index, unsent(lot.lines[index], *reason))
        marked = [lot.number for lot in fresh if lot.missing]
        services = self._services
        await batches.mark_lots(
            services.queries, self._batch.batch_id, services.worker, marked, services.layout.number
        )

    def _not_to_be_sent(self) -> tuple[Word, str] | None:
        if self._wish is Wish.CANCEL:
            return Word.CANCELLED, _CANCELLED
        try:
            late = self._services.clock.decision_time() >= self._deadline
        except Unavailable:
            return None  # the ledger will say
        return (Word.EXPIRED, _EXPIRED) if late else None

    async def _move(self) -> None:
        """Wait until something has been decided, or a moment: the wish may have changed."""
        self._moved.clear()
        try:
            async with asyncio.timeout(_LOOK_EVERY_S):
                await self._moved.wait()
        except TimeoutError:
            return

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(_REST_WITHIN_S):
                while self._in_flight:
                    await self._move()
        except TimeoutError:
            return

    def _enqueue(self, group: asyncio.TaskGroup, item: _Item) -> None:
        command = command_of(item.lot.lines[item.place])
        partition = partition_of(command, self._services.layout)
        if partition not in self._waiting:
            self._waiting[partition] = deque()
            self._arrived[partition] = asyncio.Event()
            self._tasks.append(group.create_task(self._send_all(group, partition)))
        self._waiting[partition].append(item)
        self._arrived[partition].set()

    async def _send_all(self, group: asyncio.TaskGroup, partition: int) -> None:
        """One partition's lines in the file's order, until cancelled."""
        lanes, waiting = self._services.lanes, self._waiting[partition]
        while self._wish is not Wish.PAUSE:
            if not waiting:
                self._arrived[partition].clear()
                await self._arrived[partition].wait()
                continue
            await lanes.reserve(partition)
            slot = self._occupied(partition)
            message = None
            try:
                await asyncio.sleep(lanes.pace.pause_s)
                message = await self._next_message(partition)
                if message is not None:
                    await message.send()
            finally:
                if message is None or not message.sent:
                    slot.close()
            if message is not None:
                task = group.create_task(self._hear(group, message, slot))
                # Also where it is cancelled before it has begun.
                task.add_done_callback(partial(_give_back, slot))
                self._tasks.append(task)
                self._tasks = [t for t in self._tasks if not t.done()]

    def _occupied(self, partition: int) -> ExitStack:
        """One of the partition's places for a message, given back when this is closed."""
        slot = ExitStack()
        slot.callback(self._services.lanes.release, partition)
        self._in_flight += 1
        slot.callback(self._one_less)
        return slot

    def _one_less(self) -> None:
        self._in_flight -= 1

    async def _hear(self, group: asyncio.TaskGroup, message: _Message, slot: ExitStack) -> None:
        with slot:
            outcomes = await message.outcomes()
        touched: dict[int, OpenLot] = {}
        for command_id, item in message.items.items():
            self._settle(group, item, outcomes[command_id])
            touched[item.lot.number] = item.lot
        for lot in touched.values():
            await self._finish_if_done(lot)
        self._moved.set()

    def _settle(self, group: asyncio.TaskGroup, item: _Item, outcome: Outcome) -> None:
        line = item.lot.lines[item.place]
        result = result_of(line, outcome, self._opener.is_own)
        if result is not None:
            item.lot.settle(item.place, result)
        elif item.attempt + 1 < MOST_ATTEMPTS:
            self._enqueue(group, item._replace(attempt=item.attempt + 1))
        else:
            refusal = Rejection(Code.UNAVAILABLE, "the partitions changed again and again")
            item.lot.settle(item.place, rejected(line, refusal))

    async def _next_message(self, partition: int) -> _Message | None:
        """The next lines that are to be sent, None where none of those that waited is."""
        waiting = self._waiting[partition]
        issued = await self._now()
        message = _Message(self._services, partition)
        while waiting and message.has_room:
            item = waiting.popleft()
            line = item.lot.lines[item.place]
            if self._wish is Wish.CANCEL and not item.lot.doubtful and not item.attempt:
                item.lot.settle(item.place, unsent(line, Word.CANCELLED, _CANCELLED))
                await self._finish_if_done(item.lot)
                continue
            command_id = self._opener.command_id(
                line, item.attempt, self._services.layout, partition
            )
            submission = Submission(
                command_id, issued, self._deadline, self._batch.actor, command_of(line)
            )
            if not message.take(item, command_id, encode_submission(submission)):
                waiting.appendleft(item)
                break
        return message if message.items else None

    async def _finish_if_done(self, lot: OpenLot) -> None:
        if lot.missing or lot.kept:
            return
        lot.kept = True  # before anything is awaited: several messages may have had its last lines
        results = [result for result in lot.results if result is not None]
        amounts = await Amounts.of(self._services.currencies, lot.lines, results)
        await batches.finish_lot(
            self._services.queries,
            self._batch.batch_id,
            self._services.worker,
            lot.number,
            results,
            amounts.posted,
            amounts.rejected,
        )
        self._open_lots -= 1
        self._moved.set()

    async def _now(self) -> datetime:
        """The database's time, however long it takes to know it."""
        while True:
            try:
                return self._services.clock.now()
            except Unavailable:
                await asyncio.sleep(_LOOK_EVERY_S)


def _give_back(slot: ExitStack, _: object) -> None:
    slot.close()


class _Message:
    """Lines of one partition that travel together."""

    def __init__(self, services: Services, partition: int) -> None:
        self._services, self.partition = services, partition
        self.items: dict[UUID, _Item] = {}
        self._bodies: list[bytes] = []
        self._size = 0
        self._most = services.lanes.pace.lines
        self.sent = False

    @property
    def has_room(self) -> bool:
        return len(self._bodies) < self._most

    def take(self, item: _Item, command_id: UUID, body: bytes) -> bool:
        """Whether there was room for it."""
        if self._bodies and self._size + len(body) > MAX_BYTES:
            return False
        self.items[command_id] = item
        self._bodies.append(body)
        self._size += len(body)
        return True

    async def send(self) -> None:
        """Hand it over, however long that takes."""
        lanes = self._services.lanes
        self._awaited = await lanes.send(self.partition, list(self.items), self._encode)
        self.sent = True

    async def outcomes(self) -> dict[UUID, Outcome]:
        """Of all of its lines."""
        return await self._services.lanes.outcomes(
            self.partition, self._awaited, list(self.items), self._encode
        )

    def _encode(self) -> bytes:
        return encode_commands(
            self._services.layout.number,
            self._services.clock.now(),
            self._services.reply_to(),
            self._bodies,
        )
