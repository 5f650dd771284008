"""What became of a file's lines, as a stream in the file's order."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Iterable
from typing import Final

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
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")

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

    def lines(self, results: Iterable[LineResult]) -> bytes:
        text = io.StringIO()
        csv.writer(text).writerows(
            (
                r.number,
                _harmless(r.key),
                r.word.value,
                r.subject_id or "",
                r.code or "",
                _harmless(r.detail),
            )
            for r in results
        )
        return text.getvalue().encode()


class _Ndjson:
    def __init__(self, kind: Kind) -> None:
        self._columns = _columns(kind)

    def head(self) -> bytes:
        return b""

    def lines(self, results: Iterable[LineResult]) -> bytes:
        rows = [
            dict(
                zip(
                    self._columns,
                    (r.number, r.key, r.word, r.subject_id, r.code, r.detail),
                    strict=True,
                )
            )
            for r in results
        ]
        return _json.encode_lines(rows)


def _harmless(text: str | None) -> str:
    """What a spreadsheet would run becomes what it shows."""
    if not text:
        return ""
    return f"'{text}" if text.startswith(_FORMULA) else text
