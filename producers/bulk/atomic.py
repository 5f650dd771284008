"""Files that are posted whole or not at all: one command that names the lines, one transaction."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from ledger import batches, dead_letters
from ledger.batches import Batch, Lot, Wish
from ledger.commands import PostStagedBatch, Submission
from ledger.deployment import Layout
from ledger.outcomes import Outcome, TransferGroupPosted
from ledger.rejections import TOO_LATE, Code, Rejection
from ledger.sql import BATCHES as SQL
from ledger.staged import LineResult, StagedLine, Word, digest_of
from producers.bulk.ids import line_command_id
from producers.bulk.opening import MOST_ATTEMPTS, Opener, OpenLot, Services
from producers.bulk.results import Amounts, rejected, unsent
from topology.envelopes import encode_commands, encode_submission
from topology.errors import Unavailable
from topology.partitions import partition_of

#: Stands for the whole file where a line's number would stand.
_WHOLE: Final = 0
_CLOCK_S: Final = 0.5


async def run_atomically(
    services: Services, batch: Batch, deadline: datetime, stopped: asyncio.Event
) -> tuple[Wish, str | None]:
    """Post the file or refuse it; answers the wish that was followed, and what stopped it.

    Its lots are marked before its command is sent: from then on it may be on its way, and only its
    outcome can say what became of it. Raises ``LeaseLost``.
    """
    rows, opened = await opened_whole(services, batch, deadline)
    lines = [line for lot in opened for line in lot.lines]
    flawed = next((line for line in lines if line.command is None), None)
    followed, reason = Wish.RUN, None
    if flawed is not None:
        reason = f"line {flawed.number} is not valid: nothing was moved"
        results = [unsent(line, Word.CANCELLED, reason) for line in lines]
    elif lines:
        command = PostStagedBatch(
            batch.batch_id, digest_of(row["body"] for row in rows), len(lines)
        )
        whole = Whole(services, batch, deadline, command)
        outcome = await whole.found()
        if outcome is None and not any(row["layout"] for row in rows):
            current = await batches.get(services.queries, batch.batch_id)
            followed = Wish.PAUSE if current is None else current.wish
            if followed is Wish.PAUSE or (followed is Wish.RUN and stopped.is_set()):
                return Wish.PAUSE, None
        if followed is Wish.CANCEL:
            detail = "the file was cancelled before it was sent"
            results = [unsent(line, Word.CANCELLED, detail) for line in lines]
        else:
            numbers = [row["lot"] for row in rows]
            await batches.mark_lots(
                services.queries,
                batch.batch_id,
                services.worker,
                numbers,
                services.layout.number,
            )
            decided = outcome or await whole.decided()
            word = await dead_letters.last_word(services.queries, decided)
            results, reason = results_of(lines, word)
    else:
        results = []
    await _keep(services, batch, opened, results)
    return followed, reason


async def opened_whole(
    services: Services, batch: Batch, deadline: datetime
) -> tuple[Sequence[Any], list[OpenLot]]:
    """All lots of the file, as they are kept and as they are read. As if nothing of them had been
    sent: lines have no commands of their own here."""
    rows = await services.queries.fetch(SQL.bodies, batch.batch_id)
    lots = [Lot(row["lot"], row["body"], None) for row in rows]
    return rows, await Opener(services, batch, deadline).open(lots)


async def _keep(
    services: Services, batch: Batch, opened: list[OpenLot], results: list[LineResult]
) -> None:
    start = 0
    for lot in opened:
        part = results[start : start + len(lot.lines)]
        start += len(part)
        amounts = await Amounts.of(services.currencies, lot.lines, part)
        await batches.finish_lot(
            services.queries,
            batch.batch_id,
            services.worker,
            lot.number,
            part,
            amounts.posted,
            amounts.rejected,
        )


def results_of(
    lines: Sequence[StagedLine], outcome: Outcome
) -> tuple[list[LineResult], str | None]:
    """The lines' last words, and the file's reason where it was refused."""
    match outcome.result:
        case TransferGroupPosted(transfers=transfers):
            posted = [
                LineResult(line.number, line.key, Word.POSTED, transfer.transfer_id)
                for line, transfer in zip(lines, transfers, strict=True)
            ]
            return posted, None
        case Rejection(code=TOO_LATE.code):
            reason = "the file's time was over: nothing was moved"
            return [unsent(line, Word.EXPIRED, reason) for line in lines], reason
        case Rejection(index=int() as index) as refusal:
            line = lines[index]
            reason = f"line {line.number} was refused ({refusal.code}): nothing was moved"
            results = [unsent(each, Word.CANCELLED, reason) for each in lines]
            results[index] = rejected(line, refusal)
            return results, reason
        case Rejection() as refusal:
            return [rejected(line, refusal) for line in lines], refusal.detail
        case _:
            raise TypeError(f"a file cannot come to {type(outcome.result).__name__}")


class Whole:
    """The one command, in as many attempts as the partitions change while it is on its way."""

    def __init__(
        self, services: Services, batch: Batch, deadline: datetime, command: PostStagedBatch
    ) -> None:
        self._services, self._batch, self._deadline = services, batch, deadline
        self._command = command
        self._attempt = 0

    async def found(self) -> Outcome | None:
        """What was decided before, by whichever process sent it under whichever layout."""
        present = self._services.layout
        for layout in (*self._services.former.values(), present):
            ids = [self._command_id(attempt, layout) for attempt in range(MOST_ATTEMPTS)]
            decided = await self._services.find(ids)
            for attempt, command_id in enumerate(ids):
                outcome = decided.get(command_id)
                if outcome is None:
                    break
                if not _may_be_repeated(outcome):
                    return outcome
                if layout is present:
                    self._attempt = attempt + 1
        return None

    async def decided(self) -> Outcome:
        """Send it and wait for its outcome, however long that takes."""
        while True:
            outcome = await self._ask()
            if not _may_be_repeated(outcome) or self._attempt + 1 >= MOST_ATTEMPTS:
                return outcome
            self._attempt += 1

    async def _ask(self) -> Outcome:
        services = self._services
        partition = partition_of(self._command, services.layout)
        command_id = self._command_id(self._attempt, services.layout)
        body = encode_submission(
            Submission(
                command_id, await self._now(), self._deadline, self._batch.actor, self._command
            )
        )

        def encode() -> bytes:
            now, reply_to = services.clock.now(), services.reply_to()
            return encode_commands(services.layout.number, now, reply_to, [body])

        await services.lanes.reserve(partition)
        try:
            awaited = await services.lanes.send(partition, [command_id], encode)
            outcomes = await services.lanes.outcomes(partition, awaited, [command_id], encode)
        finally:
            services.lanes.release(partition)
        return outcomes[command_id]

    async def _now(self) -> datetime:
        while True:
            try:
                return self._services.clock.now()
            except Unavailable:
                await asyncio.sleep(_CLOCK_S)

    def _command_id(self, attempt: int, layout: Layout) -> UUID:
        partition = partition_of(self._command, layout)
        return line_command_id(
            self._batch.batch_id, _WHOLE, attempt, layout, partition, self._deadline
        )


def _may_be_repeated(outcome: Outcome) -> bool:
    return isinstance(outcome.result, Rejection) and outcome.result.code is Code.UNAVAILABLE
