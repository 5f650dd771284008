"""What a file would come to now: the rules themselves, on books that are only looked at.

An estimate, and marked as one: the books go on meanwhile, each lot sees them as they are when its
turn comes, and what a session's reservations free is forgotten from one lot to the next.
"""

from __future__ import annotations

import asyncio
import hashlib
from typing import Final
from uuid import UUID

import uuid_utils.compat

from ledger import batches
from ledger.batches import Batch, Wish
from ledger.books import Books, Position
from ledger.commands import PostTransfer
from ledger.load import Needs, load
from ledger.rejections import Code, Rejection
from ledger.staged import LineResult, StagedLine, Word
from ledger.transfers import decide_transfer
from ledger.wallets import decide_wallet
from producers.bulk.opening import Opener, OpenLot, Services, command_of
from producers.bulk.results import Amounts, rejected

_NOBODY: Final = UUID(int=0)
_LOTS_AT_A_TIME: Final = 4
#: Keys whose second use in the file is noticed; beyond this many only the ledger's own are.
_MOST_KEYS: Final = 1_000_000
_WOULD: Final = "estimate: it would be posted"


async def estimate(services: Services, batch: Batch, stopped: asyncio.Event) -> Wish:
    """Judge every line and move nothing; answers the wish that was followed."""
    opener = Opener(services, batch, batch.created)
    trial = _Trial(services)
    last = -1
    while lots := await batches.open_lots(services.queries, batch.batch_id, last, _LOTS_AT_A_TIME):
        if stopped.is_set():
            current = await batches.get(services.queries, batch.batch_id)
            if current is None or current.wish is not Wish.CANCEL:
                return Wish.PAUSE
            return Wish.CANCEL
        last = lots[-1].number
        for lot in await opener.open(lots):
            await trial.judge(lot)
            results = [result for result in lot.results if result is not None]
            amounts = await Amounts.of(services.queries, lot.lines, results)
            await batches.finish_lot(
                services.queries,
                batch.batch_id,
                lot.number,
                results,
                amounts.posted,
                amounts.rejected,
            )
    return Wish.RUN


class _Trial:
    """What the lines so far would have done to balances and keys."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._positions: dict[UUID, Position] = {}
        self._keys: set[bytes] = set()

    async def judge(self, lot: OpenLot) -> None:
        asked = lot.unsettled()
        commands = [command_of(lot.lines[index]) for index in asked]
        books = (await load(self._services.queries, Needs.of(commands), lock=False)).books
        for wallet_id in books.positions.keys() & self._positions.keys():
            books.positions[wallet_id] = self._positions[wallet_id]
        for index in asked:
            lot.settle(index, self._judged(lot.lines[index], books))
        self._positions |= books.positions

    def _judged(self, line: StagedLine, books: Books) -> LineResult:
        command = command_of(line)
        key = hashlib.blake2b(command.external_unique_id.encode(), digest_size=16).digest()
        if key in self._keys:
            code = (
                Code.DUPLICATE_TRANSFER
                if isinstance(command, PostTransfer)
                else Code.DUPLICATE_WALLET
            )
            return _marked(rejected(line, Rejection(code, "an earlier line has the same key")))
        result = (
            decide_transfer(command, books, _NOBODY, uuid_utils.compat.uuid7)
            if isinstance(command, PostTransfer)
            else decide_wallet(command, books, uuid_utils.compat.uuid7, str)
        )
        if isinstance(result, Rejection):
            return _marked(rejected(line, result))
        books.apply(result)
        if len(self._keys) < _MOST_KEYS:
            self._keys.add(key)
        return LineResult(line.number, line.key, Word.POSTED, None, None, _WOULD)


def _marked(result: LineResult) -> LineResult:
    return LineResult(
        result.number,
        result.key,
        result.word,
        result.subject_id,
        result.code,
        f"estimate: {result.detail}",
    )
