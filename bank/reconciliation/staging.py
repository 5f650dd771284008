"""From the bytes of an extract to rows that the database can compare."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import asyncpg

from bank.reconciliation.extract import Extract, Line
from bank.reconciliation.found import Found
from bank.reconciliation.requests import Request
from bank.reconciliation.verdicts import Finding, to_do
from bank.sql import COMPARISONS, RECONCILIATIONS
from ledger.behind import Behind
from ledger.database import Queries
from producers.bulk.unpacking import Lines, Unreadable

_ROWS_AT_A_TIME: Final = 10_000
_TABLE: Final = "extract_lines"
_COLUMNS: Final = (
    *("line", "key", "from_wallet_id", "from_name", "to_wallet_id", "to_name"),
    *("amount", "currency", "happened", "state"),
)


@dataclass(slots=True)
class Staged:
    lines: int = 0
    unreadable: int = 0


async def stage(
    connection: asyncpg.Connection[Any],
    queries: Queries,
    request: Request,
    found: Found,
    most_bytes: int,
) -> Staged:
    """Make the staging tables on ``connection`` and fill in the extract. Lines that are none become
    differences. Raises ``Unreadable`` where the file cannot be used, ``Superseded``."""
    await connection.execute(COMPARISONS.staging)
    staged = Staged()
    async with Behind() as behind:
        rows = _Rows(connection, behind)
        extract = _extract(request)
        async for first, lines in _lines(queries, request, most_bytes):
            read = extract.read(first, lines)
            staged.lines += len(read.lines)
            staged.unreadable += len(read.flawed)
            await rows.add(read.lines)
            for flawed in read.flawed:
                document = {
                    "externalUniqueId": flawed.key,
                    "line": flawed.number,
                    "transferId": None,
                    "there": None,
                    "here": None,
                    "detail": flawed.problem,
                    "whatToDo": to_do(Finding.UNREADABLE, None),
                }
                await found.add(Finding.UNREADABLE, document)
            await asyncio.sleep(0)  # the process beats, and the lease is renewed
        extract.end()
        await rows.flush()
    await connection.execute(f"ANALYZE {_TABLE}")
    return staged


def _extract(request: Request) -> Extract:
    if request.order.format is None:
        raise Unreadable("is of no format")
    return Extract(request.order.format)


async def _lines(
    queries: Queries, request: Request, most_bytes: int
) -> AsyncIterator[tuple[int, list[str | None]]]:
    unpacked = Lines(request.order.encoding or "identity", most_bytes)
    async for piece in _pieces(queries, request):
        for stretch in unpacked.feed(piece):
            yield stretch
    for stretch in unpacked.end():
        yield stretch


async def _pieces(queries: Queries, request: Request) -> AsyncIterator[bytes]:
    position = 0
    while position < request.received_bytes:
        piece: bytes | None = await queries.fetchval(
            RECONCILIATIONS.piece, request.reconciliation_id, position
        )
        if piece is None:
            raise Unreadable(f"has lost its bytes from {position} on")
        yield piece
        position += len(piece)


class _Rows:
    """Lines gathered into COPYs, one written while the next is read."""

    def __init__(self, connection: asyncpg.Connection[Any], behind: Behind) -> None:
        self._connection, self._behind = connection, behind
        self._waiting: list[Line] = []

    async def add(self, lines: list[Line]) -> None:
        self._waiting += lines
        if len(self._waiting) >= _ROWS_AT_A_TIME:
            await self._write(last=False)

    async def flush(self) -> None:
        await self._write(last=True)

    async def _write(self, *, last: bool) -> None:
        rows, self._waiting = self._waiting, []
        await self._behind.write(partial(self._copy, rows), last=last)

    async def _copy(self, rows: list[Line]) -> None:
        await self._connection.copy_records_to_table(_TABLE, records=rows, columns=_COLUMNS)
