"""What became of a file's lines, as a stream in the file's order."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import msgspec

from gateway.backend import READ_LIMIT_S
from ledger import batches
from ledger.batches import Batch, Kind
from ledger.database import Queries
from ledger.staged import LineResult

CSV: Final = b"text/csv; charset=utf-8; header=present"
NDJSON: Final = b"application/x-ndjson"

_LOTS_AT_A_TIME: Final = 4
#: What spreadsheets take for the beginning of a formula (OWASP, "CSV injection").
_FORMULA: Final = frozenset("=+-@\t\r")
#: Where ``LineResult`` has what came from the file.
_KEY: Final = LineResult.__struct_fields__.index("key")
_DETAIL: Final = LineResult.__struct_fields__.index("detail")

_json: Final = msgspec.json.Encoder()


async def stream(
    queries: Queries, batch: Batch, before_lot: int | None, after_line: int, media_type: bytes
) -> AsyncIterator[bytes]:
    """Results of the lots before ``before_lot`` (None: of all), behind ``after_line``."""
    write = _Csv(batch.order.kind) if media_type is CSV else _Ndjson(batch.order.kind)
    yield write.head()
    lot = 0
    while True:
        async with asyncio.timeout(READ_LIMIT_S):
            lots = await batches.results(
                queries, batch.batch_id, after_line, lot, before_lot, _LOTS_AT_A_TIME
            )
        if not lots:
            return
        for _, results in lots:
            yield write.lines(results)
        lot = lots[-1][0] + 1


def _columns(kind: Kind) -> tuple[str, ...]:
    subject = "transferId" if kind is Kind.TRANSFERS else "walletId"
    return ("line", "externalUniqueId", "status", subject, "code", "detail")


class _Csv:
    def __init__(self, kind: Kind) -> None:
        self._header = _columns(kind)

    def head(self) -> bytes:
        return (",".join(self._header) + "\r\n").encode()

    def lines(self, results: Sequence[LineResult]) -> bytes:
        # The records' own order is the columns', and ids become text faster all at once.
        rows: list[list[Any]] = msgspec.to_builtins(results)
        for row in rows:
            row[_KEY], row[_DETAIL] = _harmless(row[_KEY]), _harmless(row[_DETAIL])
        text = io.StringIO()
        csv.writer(text).writerows(rows)
        return text.getvalue().encode()


class _Ndjson:
    def __init__(self, kind: Kind) -> None:
        self._columns = _columns(kind)

    def head(self) -> bytes:
        return b""

    def lines(self, results: Sequence[LineResult]) -> bytes:
        rows = msgspec.to_builtins(results)
        return _json.encode_lines([dict(zip(self._columns, row, strict=True)) for row in rows])


def _harmless(text: str | None) -> str | None:
    """What a spreadsheet would run becomes what it shows."""
    return f"'{text}" if text and text[0] in _FORMULA else text
