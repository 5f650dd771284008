"""What a file would come to now: the rules themselves, on books that are only looked at.

An estimate, and marked as one: the books go on meanwhile, each lot sees them as they are when its
turn comes, and what a session's reservations free is forgotten from one lot to the next.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Container, Mapping
from typing import Final
from uuid import UUID

import msgspec
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
#: Wallets whose balance is carried from lot to lot, at some 350 bytes each. Payees come by the
#: million and are seldom debited later on: they leave room for those that are.
_MOST_PAYEES: Final = 100_000
_MOST_WALLETS: Final = 300_000
_WOULD: Final = "estimate: it would be posted"
_INCOMPLETE: Final = "; incomplete: the file moves more wallets than an estimate remembers"


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
            amounts = await Amounts.of(services.currencies, lot.lines, results)
            await batches.finish_lot(
                services.queries,
                batch.batch_id,
                services.worker,
                lot.number,
                results,
                amounts.posted,
                amounts.rejected,
            )
    return Wish.RUN


class Balances:
    """What the lines so far would have left on the wallets they moved, for as many as there is room
    for. Of a wallet that there was none for, an estimate may be wrong: ``is_whole`` says so."""

    def __init__(self, most_payees: int = _MOST_PAYEES, most_wallets: int = _MOST_WALLETS) -> None:
        self._most_payees, self._most_wallets = most_payees, most_wallets
        self._positions: dict[UUID, Position] = {}
        self._partial: set[UUID] = set()
        """Of these, movements may have been forgotten before they were kept."""
        self._forgot = False

    def put_into(self, positions: dict[UUID, Position]) -> None:
        """In place of what the books say of the same wallets."""
        for wallet_id in positions.keys() & self._positions.keys():
            positions[wallet_id] = self._positions[wallet_id]

    def keep(self, moved: Mapping[UUID, Position], debited: Container[UUID]) -> None:
        # Those that are debited first: what is forgotten of the others must not make them partial.
        for wallet_id in sorted(moved, key=lambda wallet_id: wallet_id not in debited):
            most = self._most_wallets if wallet_id in debited else self._most_payees
            if wallet_id not in self._positions:
                if len(self._positions) >= most:
                    self._forgot = True
                    continue
                if self._forgot:
                    self._partial.add(wallet_id)
            self._positions[wallet_id] = moved[wallet_id]

    def is_whole(self, wallet_id: UUID) -> bool:
        """Whether nothing that the file moved on the wallet so far was forgotten."""
        known = wallet_id in self._positions and wallet_id not in self._partial
        return known or not self._forgot


class _Trial:
    """What the lines so far would have done to balances and keys."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._balances = Balances()
        self._keys: set[bytes] = set()

    async def judge(self, lot: OpenLot) -> None:
        asked = lot.unsettled()
        commands = [command_of(lot.lines[index]) for index in asked]
        books = (await load(self._services.queries, Needs.of(commands), lock=False)).books
        self._balances.put_into(books.positions)
        before = books.positions.copy()
        debited = set()
        for index, command in zip(asked, commands, strict=True):
            result = self._judged(lot.lines[index], books)
            if isinstance(command, PostTransfer) and (source := books.find(command.from_wallet)):
                debited.add(source.wallet_id)
                if _rests_on_funds(result) and not self._balances.is_whole(source.wallet_id):
                    result = _incomplete(result)
            lot.settle(index, result)
        # Wallets that the file would make are not looked at again.
        moved = {w: p for w, p in books.positions.items() if before.get(w, p) != p}
        self._balances.keep(moved, debited)

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


def _rests_on_funds(result: LineResult) -> bool:
    return result.word is Word.POSTED or result.code == Code.INSUFFICIENT_FUNDS


def _incomplete(result: LineResult) -> LineResult:
    return msgspec.structs.replace(result, detail=f"{result.detail}{_INCOMPLETE}")


def _marked(result: LineResult) -> LineResult:
    return LineResult(
        result.number,
        result.key,
        result.word,
        result.subject_id,
        result.code,
        f"estimate: {result.detail}",
    )
