"""Reading a file that has arrived into lots, or refusing it before anything moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from decimal import Context, Decimal, Inexact
from functools import partial
from typing import Final

from ledger import batches
from ledger.batches import Batch
from ledger.behind import Behind
from ledger.commands import PostTransfer
from ledger.database import Queries
from ledger.sql import BATCHES as SQL
from ledger.staged import ATOMIC_LINES, StagedLine, encode_lines
from producers.bulk.reading import reader
from producers.bulk.unpacking import Lines, Unreadable

#: Enough that a lot's row is worth its update, few enough that progress moves every moment.
LOT_LINES: Final = 1000
_LOTS_AT_A_TIME: Final = 8
#: Wider than a controlTotal may be, and than any file adds up to; what did not fit would be an
#: error, and not be rounded as in the default context of 28 digits.
_EXACT: Final = Context(prec=60, traps=[Inexact])


class Stopped(Exception):
    """The file is not to be worked on at the moment, or not any more."""


async def prepare(
    connection: Queries, batch: Batch, worker: str, most_bytes: int, stopped: asyncio.Event
) -> int:
    """Make lots of the uploaded bytes; answers how many lines there are.

    Starts from the beginning where an earlier attempt was broken off. Raises ``Unreadable`` where
    the file cannot be used, ``Stopped`` where ``stopped`` was set, ``LeaseLost``.
    """
    await batches.restart(connection, batch.batch_id, worker)
    totals = _Totals(batch)
    async with Behind() as behind:
        lots = _Lots(connection, batch.batch_id, worker, behind)
        async for lines in _read(connection, batch, most_bytes):
            if stopped.is_set():
                raise Stopped
            totals.add(lines)
            await lots.add(lines)
            await asyncio.sleep(0)  # the process beats, and other files go on
        totals.check()
        await lots.flush()
    if await connection.fetchval(SQL.prepared, batch.batch_id, worker, totals.lines) is None:
        raise batches.LeaseLost
    await connection.fetch(SQL.drop_uploads, batch.batch_id)
    return totals.lines


async def _read(
    connection: Queries, batch: Batch, most_bytes: int
) -> AsyncIterator[list[StagedLine]]:
    unpacked, read = Lines(batch.order.encoding, most_bytes), reader(batch.order)
    async for piece in _pieces(connection, batch):
        for first, lines in unpacked.feed(piece):
            yield read.read(first, lines)
    for first, lines in unpacked.end():
        yield read.read(first, lines)
    yield read.end()


async def _pieces(connection: Queries, batch: Batch) -> AsyncIterator[bytes]:
    position = 0
    while position < batch.received_bytes:
        piece: bytes | None = await connection.fetchval(SQL.piece, batch.batch_id, position)
        if piece is None:
            raise Unreadable(f"has lost its bytes from {position} on")
        yield piece
        position += len(piece)


class _Totals:
    """What the file adds up to, against what was said it would."""

    def __init__(self, batch: Batch) -> None:
        self._order = batch.order
        self.lines = 0
        self._amount = Decimal(0)

    def add(self, lines: list[StagedLine]) -> None:
        self.lines += len(lines)
        if self._order.atomic and self.lines > ATOMIC_LINES:
            raise Unreadable(f"has more than {ATOMIC_LINES} lines, too many for all or nothing")
        if self._order.control_total is not None:
            for line in lines:
                if isinstance(line.command, PostTransfer):
                    self._amount = _EXACT.add(self._amount, line.command.amount)

    def check(self) -> None:
        """Raises ``Unreadable``."""
        count, total = self._order.control_count, self._order.control_total
        if count is not None and count != self.lines:
            raise Unreadable(f"has {self.lines} lines, controlCount says {count}")
        if total is not None and total != self._amount:
            raise Unreadable(f"adds up to {self._amount:f}, controlTotal says {total:f}")


class _Lots:
    """Lines gathered into rows, several rows written at once while the next lines are read."""

    def __init__(self, connection: Queries, batch_id: str, worker: str, behind: Behind) -> None:
        self._connection, self._batch_id, self._worker = connection, batch_id, worker
        self._behind = behind
        self._lines: list[StagedLine] = []
        self._rows: list[tuple[int, int, int, int, bytes]] = []
        self._next = 0

    async def add(self, lines: list[StagedLine]) -> None:
        self._lines += lines
        while len(self._lines) >= LOT_LINES:
            self._cut(LOT_LINES)
        if len(self._rows) >= _LOTS_AT_A_TIME:
            await self._write()

    async def flush(self) -> None:
        if self._lines:
            self._cut(len(self._lines))
        await self._write(last=True)

    def _cut(self, count: int) -> None:
        lot, self._lines = self._lines[:count], self._lines[count:]
        row = (self._next, lot[0].number, lot[-1].number, len(lot), encode_lines(lot))
        self._rows.append(row)
        self._next += 1

    async def _write(self, *, last: bool = False) -> None:
        rows, self._rows = self._rows, []
        if rows:
            add = partial(batches.add_lots, self._connection, self._batch_id, self._worker, rows)
            await self._behind.write(add, last=last)
