"""Lots in memory: their lines, what became of each, and what may have been sent before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

import msgspec

from ledger import reads
from ledger.batches import Batch, Lot
from ledger.commands import CreateWallet, PostTransfer, WalletRef
from ledger.database import Queries
from ledger.deployment import Layout
from ledger.outcomes import Outcome
from ledger.staged import LineResult, StagedLine, decode_lines
from producers.bulk.currencies import Currencies
from producers.bulk.ids import attempt_of, line_command_id
from producers.bulk.lanes import Lanes
from producers.bulk.results import result_of, unread
from producers.clock import DatabaseClock
from topology.partitions import partition_of

#: How often a line may be refused for a changed layout before it is given up as it is.
MOST_ATTEMPTS: Final = 20

Find = Callable[[Sequence[UUID]], Awaitable[dict[UUID, Outcome]]]


@dataclass(frozen=True, slots=True)
class Services:
    """What working off takes, whichever file it is."""

    queries: Queries
    currencies: Currencies
    clock: DatabaseClock
    lanes: Lanes
    find: Find
    """Outcomes from the books."""
    worker: str
    """Under whose name leases are held."""
    reply_to: Callable[[], str | None]
    layout: Layout
    former: Mapping[int, Layout]
    """Layouts that were in force once, by number."""


class OpenLot:
    """A lot whose lines wait for their last words."""

    __slots__ = ("attempts", "kept", "lines", "missing", "number", "results", "sent_under")

    def __init__(self, lot: Lot, lines: Sequence[StagedLine]) -> None:
        self.number, self.lines, self.sent_under = lot.number, lines, lot.layout
        self.results: list[LineResult | None] = [unread(line) for line in lines]
        self.missing = self.results.count(None)
        self.kept = False
        """Whether somebody has its results in hand, to write them down."""
        self.attempts: dict[int, int] = {}
        """Which attempt it is, for lines that are to be sent not for the first time."""

    @property
    def doubtful(self) -> bool:
        """Whether some of it may be on its way already, sent by a process that has ended."""
        return self.sent_under is not None

    def settle(self, index: int, result: LineResult) -> None:
        if self.results[index] is None:
            self.missing -= 1
        self.results[index] = result

    def unsettled(self) -> list[int]:
        return [index for index, result in enumerate(self.results) if result is None]


class Opener:
    """Opens the lots of one file."""

    def __init__(self, services: Services, batch: Batch, deadline: datetime) -> None:
        self._services, self._batch_id, self._deadline = services, batch.batch_id, deadline

    async def open(self, lots: Sequence[Lot]) -> list[OpenLot]:
        """With wallets by id where the books know their names by now, and with the results of what
        was decided before."""
        read = [(lot, decode_lines(lot.body)) for lot in lots]
        found = await self._named(line for _, lines in read for line in lines)
        if found:
            read = [(lot, [_by_id(line, found) for line in lines]) for lot, lines in read]
        opened = [OpenLot(lot, lines) for lot, lines in read]
        for lot in opened:
            if lot.doubtful:
                await self._recover(lot)
        return opened

    def command_id(self, line: StagedLine, attempt: int, layout: Layout, partition: int) -> UUID:
        return line_command_id(
            self._batch_id, line.number, attempt, layout, partition, self._deadline
        )

    def is_own(self, line: StagedLine, command_id: UUID) -> bool:
        """Whether the command was this line's, under whatever partition or layout it was sent."""
        attempt = attempt_of(self._batch_id, line.number, command_id, MOST_ATTEMPTS, self._deadline)
        return attempt is not None

    async def _named(self, lines: Iterable[StagedLine]) -> dict[str, UUID]:
        names = {
            ref.external_unique_id
            for line in lines
            if isinstance(line.command, PostTransfer)
            for ref in (line.command.from_wallet, line.command.to_wallet)
            if ref.external_unique_id is not None
        }
        return await reads.wallet_ids(self._services.queries, list(names)) if names else {}

    async def _recover(self, lot: OpenLot) -> None:
        """Settle what was decided. Under an old layout nothing is applied any more: what is missing
        there is sent again under the present one."""
        present = self._services.layout
        for number in range(lot.sent_under or present.number, present.number + 1):
            layout = present if number == present.number else self._services.former[number]
            lot.attempts.clear()
            asked = lot.unsettled()
            for attempt in range(MOST_ATTEMPTS):
                asked = await self._look_up(lot, asked, attempt, layout)
                if not asked:
                    break
                lot.attempts |= dict.fromkeys(asked, attempt + 1)

    async def _look_up(
        self, lot: OpenLot, asked: Sequence[int], attempt: int, layout: Layout
    ) -> list[int]:
        """Settle those of the lines that were decided; answers those that may be tried again."""
        ids = {}
        for index in asked:
            line = lot.lines[index]
            partition = partition_of(command_of(line), layout)
            ids[self.command_id(line, attempt, layout, partition)] = index
        again = []
        for command_id, outcome in (await self._services.find(list(ids))).items():
            index = ids[command_id]
            result = result_of(lot.lines[index], outcome, self.is_own)
            if result is None:
                again.append(index)
            else:
                lot.settle(index, result)
        return again


def command_of(line: StagedLine) -> PostTransfer | CreateWallet:
    if line.command is None:
        raise TypeError(f"line {line.number} is no command")
    return line.command


def _by_id(line: StagedLine, found: Mapping[str, UUID]) -> StagedLine:
    command = line.command
    if not isinstance(command, PostTransfer):
        return line
    source, target = _ref(command.from_wallet, found), _ref(command.to_wallet, found)
    if source is command.from_wallet and target is command.to_wallet:
        return line
    known = msgspec.structs.replace(command, from_wallet=source, to_wallet=target)
    return StagedLine(line.number, known)


def _ref(ref: WalletRef, found: Mapping[str, UUID]) -> WalletRef:
    wallet_id = None if ref.wallet_id else found.get(ref.external_unique_id or "")
    return ref if wallet_id is None else WalletRef(wallet_id)
