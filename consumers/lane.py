"""The lane: whole messages from the front of every partition this process owns, as one transaction.

One lane per process. Several would only wait for each other on the wallets that everybody credits;
more cores are used by more processes, each with partitions of its own.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Final
from uuid import UUID

import structlog

from consumers import applying, metrics
from consumers.partition import Delivery, Partition
from consumers.replies import ReplyPublisher
from consumers.writer import Stopping, Writer
from ledger import dead_letters
from ledger.commands import GROUP_SIZE
from ledger.execute import Assigned
from ledger.heads import Unowned
from ledger.outcomes import Outcome, TransferGroupPosted
from ledger.rejections import Code, Rejection
from topology.envelopes import CommandMessage, encode_outcomes
from topology.errors import Malformed

MAX_COMMANDS: Final = 2000

_IDLE_S: Final = 0.5
#: Only batches that take a moment go by turns: nobody is to wait for a piece of a file that shares
#: none of its wallets.
_BRIEF: Final = 1000

_log = structlog.get_logger(__name__)

#: Replies of so many commands are made while COMMIT waits for the disk; those of more take longer.
_EARLY: Final = 300

Item = tuple[Partition, Delivery]
Replies = Sequence[tuple[str, bytes]]


class Lane:
    """Applies what the partitions' buffers hold, one batch at a time."""

    def __init__(self, writer: Writer, replies: ReplyPublisher, layout: int) -> None:
        self._writer, self._replies, self._layout = writer, replies, layout
        self._partitions: dict[int, Partition] = {}
        self._arrived = asyncio.Event()
        self._waiting = False
        self._turns = 0
        self._conclusion: asyncio.Future[None] | None = None
        """Of the latest batch, while it is not over."""
        self.paused: frozenset[int] = frozenset()
        """Partitions whose commands wait for an operator."""

    @property
    def partitions(self) -> Sequence[Partition]:
        """Those subscribed to, standbys included."""
        return list(self._partitions.values())

    def on_arrival(self) -> None:
        """A partition has a new message, or was lost."""
        self._arrived.set()

    def is_idle(self) -> bool:
        """Whether the next message is all it waits for."""
        return self._waiting and not self._arrived.is_set()

    def add(self, partition: Partition) -> None:
        self._partitions[partition.number] = partition

    async def discard(self, partition: Partition) -> None:
        """Stop using the partition: another process has it, or shall have it."""
        if self._partitions.get(partition.number) is partition:
            del self._partitions[partition.number]
            self._writer.give_up(partition.number)
        await partition.close()

    def stop(self) -> None:
        """Finish the batch at hand and return from ``run``."""
        self._writer.stopping = True
        self._arrived.set()

    async def run(self, housekeep: Callable[[], Awaitable[None]]) -> None:
        """Apply batches until stopped; ``housekeep`` runs between them, as it shares the writer."""
        try:
            with suppress(Stopping):
                while not self._writer.stopping:
                    self._arrived.clear()
                    await housekeep()
                    await self._turn_once()
        finally:
            await self.concluded()

    async def _turn_once(self) -> None:
        for partition in self.partitions:
            if partition.lost:
                await self.discard(partition)
            elif partition.buffer and partition.number in self.paused:
                # Its clock goes on, so that what waits in it expires in time.
                await self._own(partition)
        ready = self._ready()
        if ready:
            if sum(delivery.size for p in ready for delivery in p.buffer) <= _BRIEF:
                await self._writer.take_turn()
            await self._work(self._gather())
        else:
            await self._wait()

    async def _wait(self) -> None:
        await self._writer.begin_early()
        self._waiting = True
        try:
            async with asyncio.timeout(_IDLE_S):
                await self._arrived.wait()
        except TimeoutError:
            await self._writer.end_early()
        finally:
            self._waiting = False

    def _ready(self) -> list[Partition]:
        return [p for p in self._partitions.values() if p.buffer and p.number not in self.paused]

    def _gather(self) -> list[Item]:
        """The next batch. A message that must go alone is a batch of its own."""
        partitions = self._ready()
        for partition in partitions:
            if partition.buffer[0].alone:
                return [(partition, partition.buffer.popleft())]
        self._turns += 1
        start = self._turns % max(1, len(partitions))
        items: list[Item] = []
        total = 0
        for partition in partitions[start:] + partitions[:start]:
            while partition.buffer and not partition.buffer[0].alone:
                size = partition.buffer[0].size
                if items and total + size > MAX_COMMANDS:
                    break
                items.append((partition, partition.buffer.popleft()))
                total += size
        return items

    async def _work(self, items: Sequence[Item]) -> None:
        for partition in {p.number: p for p, _ in items}.values():
            await self._own(partition)
        items = [item for item in items if not item[0].lost]
        if len(items) == 1 and isinstance(items[0][1].content, Malformed):
            await self._park(items[0], items[0][1].content)
        elif items:
            await self._apply(items)
        else:
            await self._writer.end_early()

    async def _own(self, partition: Partition) -> None:
        """Take the epoch on a channel's first delivery, never again on the same channel."""
        if partition.epoch is not None or partition.lost:
            return
        try:
            partition.epoch = await applying.take_over(self._writer, partition)
        except Unowned as error:
            _log.error("partition.unowned", partition=partition.number, error=str(error))
            await self.discard(partition)

    async def _park(self, item: Item, error: Malformed) -> None:
        partition, delivery = item
        letter = dead_letters.of_message(
            self._layout, partition.number, delivery.incoming.body, error
        )
        _log.error("lane.malformed", partition=partition.number, error=str(error))
        await self._discard_lost(await applying.park(self._writer, letter))
        await self.concluded()
        await partition.ack(delivery)

    async def _apply(self, items: Sequence[Item]) -> None:
        started_s = time.monotonic()
        batch = [a for partition, delivery in items for a in self._assign(partition, delivery)]
        early = _Early(items)
        meanwhile = early.prepare if len(batch) <= _EARLY else None
        applied = await applying.apply(self._writer, batch, meanwhile)
        is_answered = self._send(early.replies(applied))
        took_s = time.monotonic() - started_s
        await self.concluded()
        await self._discard_lost(applied.lost)
        self._conclusion = asyncio.ensure_future(
            self._conclude(items, applied.outcomes, took_s, is_answered=is_answered)
        )
        if not any(partition.buffer for partition in self._partitions.values()):
            await self.concluded()

    async def _conclude(
        self,
        items: Sequence[Item],
        outcomes: Mapping[UUID, Outcome],
        took_s: float,
        *,
        is_answered: bool,
    ) -> None:
        """What is left when a batch is in the books. While messages wait the next batch does not
        wait for it: this is done while the database works on that one."""
        if not is_answered:
            self._send(_replies(items, outcomes))
        # A turn of the loop, for the writer: what callers wait for goes before the rest is done.
        await asyncio.sleep(0)
        for partition, delivery in {p.number: (p, d) for p, d in items}.values():
            await partition.ack(delivery)
        metrics.BATCH_COMMANDS.observe(len(outcomes))
        metrics.BATCH_SECONDS.observe(took_s)
        _count(items, outcomes)

    async def concluded(self) -> None:
        """Wait until everything that was taken is answered and acked. Conclusions come one after
        the other, as acks have to."""
        if self._conclusion is not None:
            conclusion, self._conclusion = self._conclusion, None
            await conclusion

    def _assign(self, partition: Partition, delivery: Delivery) -> Iterable[Assigned]:
        content = delivery.readable
        refused = None
        if content.layout != self._layout:
            refused = Rejection(
                Code.UNAVAILABLE, "the partitions changed while the command was on its way"
            )
        for submission in content.submissions:
            yield Assigned(partition.number, submission, refused)

    def _send(self, replies: Replies | None) -> bool:
        """Answers whether there were any to send."""
        for queue, body in replies or ():
            self._replies.put(queue, body)
        return replies is not None

    async def _discard_lost(self, lost: Iterable[int]) -> None:
        for number in lost:
            partition = self._partitions.get(number)
            if partition is not None:
                _log.warning("partition.lost", partition=number)
                await self.discard(partition)


class _Early:
    """Replies that are made while the database commits what they say. They are sent when it has."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._outcomes: list[Outcome] | None = None
        self._replies: Replies | None = None

    def prepare(self, outcomes: list[Outcome]) -> None:
        self._replies = _replies(self._items, {o.command_id: o for o in outcomes})
        self._outcomes = outcomes

    def replies(self, applied: applying.Applied) -> Replies | None:
        """None unless they say what was applied in the end: the first try may not have been it."""
        is_it = applied.at_once is not None and applied.at_once is self._outcomes
        return self._replies if is_it else None


def _replies(items: Sequence[Item], outcomes: Mapping[UUID, Outcome]) -> Replies:
    """One message per producer; without the commands of partitions that were lost."""
    by_queue: dict[str, list[Outcome]] = {}
    for _, delivery in items:
        content = delivery.readable
        if content.reply_to is not None:
            by_queue.setdefault(content.reply_to, []).extend(
                outcome
                for s in content.submissions
                if (outcome := outcomes.get(s.command_id)) is not None and _fits(outcome)
            )
    return [(queue, encode_outcomes(decided)) for queue, decided in by_queue.items()]


def _fits(outcome: Outcome) -> bool:
    """Whether the outcome is sent at all: who waits for a whole file reads it in the books."""
    result = outcome.result
    return not isinstance(result, TransferGroupPosted) or len(result.transfers) <= GROUP_SIZE


def _count(items: Sequence[Item], outcomes: Mapping[UUID, Outcome]) -> None:
    for _, delivery in items:
        content: CommandMessage = delivery.readable
        first = outcomes.get(content.submissions[0].command_id) if content.submissions else None
        if first is not None:
            waited = first.decided - content.sent
            metrics.QUEUE_WAIT.observe(max(0.0, waited.total_seconds()))
    results: dict[str, int] = {}
    for outcome in outcomes.values():
        result = outcome.result
        name = result.code.value if isinstance(result, Rejection) else type(result).__name__
        results[name] = results.get(name, 0) + 1
    for name, count in results.items():
        metrics.OUTCOMES.labels(result=name).inc(count)
