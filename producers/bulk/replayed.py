"""Files that were to be posted whole, whose command was parked and decided by a replay later.

Their lines had ended REJECTED, as nothing had moved; what the replay came to is told in the place
of that. All of it is found by keys: the file's command, its letter, the command that resolved it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
import structlog

from ledger import batches, dead_letters
from ledger.batches import Batch
from ledger.commands import PostStagedBatch
from ledger.outcomes import Outcome
from ledger.rejections import Code, Rejection
from ledger.sql import BATCHES as SQL
from ledger.staged import LineResult, Word, encode_results
from producers.bulk.atomic import Whole, opened_whole, results_of
from producers.bulk.file import deadline_of
from producers.bulk.opening import Services
from producers.bulk.results import Amounts

_log = structlog.get_logger(__name__)
_json = msgspec.json.Encoder()


class Replays:
    """Looks from time to time whether there are any."""

    def __init__(self, pool: asyncpg.Pool[Any], services: Services) -> None:
        self._pool, self._services = pool, services
        self._settled: set[str] = set()
        """Files whose word does not change any more."""

    async def follow(self) -> None:
        """Raises what the database raises; then it can be called again."""
        found = {row["batch_id"] for row in await self._pool.fetch(SQL.parked)}
        self._settled &= found
        for batch_id in found - self._settled:
            batch = await batches.get(self._pool, batch_id)
            if batch is not None and await self._follow(batch):
                self._settled.add(batch_id)

    async def _follow(self, batch: Batch) -> bool:
        """Whether nothing more is to be expected."""
        named = PostStagedBatch(batch.batch_id, b"", batch.lines or 0)
        first = await Whole(self._services, batch, deadline_of(batch), named).found()
        if first is None or not _is_parked(first):
            return True
        outcome = await dead_letters.last_word(self._pool, first)
        if _is_parked(outcome):
            return False  # open, or parked again, or discarded: then a look is all it costs
        await self._amend(batch, outcome)
        return True

    async def _amend(self, batch: Batch, outcome: Outcome) -> None:
        _, opened = await opened_whole(self._services, batch, deadline_of(batch))
        results, reason = results_of([line for lot in opened for line in lot.lines], outcome)
        rows, start = [], 0
        for lot in opened:
            part = results[start : start + len(lot.lines)]
            start += len(part)
            amounts = await Amounts.of(self._services.currencies, lot.lines, part)
            rows.append((lot.number, encode_results(part), *_counts(part), *_texts(amounts)))
        columns = tuple(map(list, zip(*rows, strict=True)))
        await self._pool.fetch(SQL.amend, batch.batch_id, reason, *columns)
        _log.info("bulk.replayed", batch_id=batch.batch_id, command_id=str(outcome.command_id))


def _is_parked(outcome: Outcome) -> bool:
    return isinstance(outcome.result, Rejection) and outcome.result.code is Code.INTERNAL


def _counts(results: Sequence[LineResult]) -> list[int]:
    words = [result.word for result in results]
    return [
        words.count(word) for word in (Word.POSTED, Word.REJECTED, Word.EXPIRED, Word.CANCELLED)
    ]


def _texts(amounts: Amounts) -> tuple[str, str]:
    def text(minor: Mapping[str, int]) -> str:
        return _json.encode(minor).decode()

    return text(amounts.posted), text(amounts.rejected)
