"""CSV: a header, then a record per line."""

from __future__ import annotations

import csv
from collections import deque
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Final

from ledger.staged import StagedLine
from producers.bulk.commands_of import (
    TOO_LONG,
    Flawed,
    Make,
    Values,
    flawed_line,
    with_source,
)
from producers.bulk.unpacking import LINE_LIMIT, Unreadable

#: Lines that one record may span (RFC 4180 allows line breaks inside quotes). A quote that is never
#: closed would otherwise swallow the rest of the file.
_RECORD_LINES: Final = 20
_OPEN_QUOTE: Final = "unexpected end of data"


class Csv:
    """RFC 4180 with a header; commas, or semicolons where the header has those instead."""

    def __init__(self, columns: Sequence[str], make: Make, from_wallet: str | None) -> None:
        self._columns, self._make, self._from_wallet = columns, make, from_wallet
        self._delimiter = ","
        self._header: list[str] | None = None
        self._pick: Callable[[Sequence[str | None]], Values]
        """The columns' values from a record that ends with one for those that it has not."""
        self._waiting: deque[tuple[int, str | None]] = deque()

    def read(self, first: int, lines: Sequence[str | None]) -> list[StagedLine]:
        found: list[StagedLine] = []
        for number, line in enumerate(lines, first):
            if not (line or line is None or self._waiting):
                continue
            if self._header is None or self._waiting or line is None or '"' in line:
                self._waiting.append((number, line))
                self._drain(found, final=False)
            else:
                found.append(self._line(number, line.split(self._delimiter), "\0" in line))
        return found

    def end(self) -> list[StagedLine]:
        found: list[StagedLine] = []
        self._drain(found, final=True)
        if self._header is None:
            raise Unreadable("is empty: there is no header")
        return found

    def _drain(self, found: list[StagedLine], *, final: bool) -> None:
        """Take whole records from what waits; one whose quotes are open waits on."""
        waiting = self._waiting
        while waiting:
            number, line = waiting[0]
            if line is None:
                if self._header is None:
                    raise Unreadable(f"has no header: line {number} is too long for one")
                waiting.popleft()
                found.append(flawed_line(number, Flawed("", TOO_LONG)))
                continue
            try:
                row, used = self._record(final)
            except csv.Error as error:
                waiting.popleft()
                self._take_flawed(found, number, f"is not CSV: {error}")
                continue
            if used == 0:
                return
            for _ in range(used):
                waiting.popleft()
            if self._header is None:
                self._take_header(number, row)
            elif row:
                found.append(self._line(number, row, any("\0" in text for text in row)))

    def _record(self, final: bool) -> tuple[list[str], int]:
        """The record in front and how many lines it spans, 0 where that is not known yet. Raises
        ``csv.Error``."""
        text = ""
        for used, (_, line) in enumerate(self._waiting, 1):
            if line is None or used > _RECORD_LINES or len(text) + len(line) > LINE_LIMIT:
                raise csv.Error("a quote is opened and not closed")
            text = f"{text}\n{line}" if used > 1 else line
            try:
                row = next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
            except csv.Error as error:
                if _OPEN_QUOTE not in str(error):
                    raise
            else:
                return row, used
        if final:
            raise csv.Error("a quote is opened and not closed")
        return [], 0

    def _take_flawed(self, found: list[StagedLine], number: int, what: str) -> None:
        if self._header is None:
            raise Unreadable(f"has no header that can be read: line {number} {what}")
        found.append(flawed_line(number, Flawed("", what)))

    def _take_header(self, number: int, row: list[str]) -> None:
        if not any(row):
            return  # blank lines in front
        if len(row) == 1 and ";" in row[0]:
            self._delimiter = ";"
            row = row[0].split(";")
        header = [name.strip() for name in row]
        unknown = [name for name in header if name not in self._columns]
        if unknown:
            known = ", ".join(sorted(self._columns))
            raise Unreadable(f"has a column {unknown[0][:50]!r} in its header; known are {known}")
        if len(set(header)) != len(header):
            raise Unreadable("names a column twice in its header")
        self._require(header)
        self._header = header
        self._pick = itemgetter(
            *(header.index(name) if name in header else len(header) for name in self._columns)
        )

    def _require(self, header: list[str]) -> None:
        needed: list[tuple[str, ...]] = [("externalUniqueId",)]
        if "amount" in self._columns:
            sides = [(f"{side}WalletId", f"{side}ExternalUniqueId") for side in ("from", "to")]
            needed += [("amount",), *(sides[1:] if self._from_wallet else sides)]
        else:
            needed.append(("currency",))
        for names in needed:
            if not set(names) & set(header):
                raise Unreadable(f"has no column {' or '.join(names)} in its header")

    def _line(self, number: int, row: Sequence[str], holds_nul: bool) -> StagedLine:
        header = self._header or []
        try:
            if len(row) != len(header):
                raise Flawed("", f"has {len(row)} columns, the header has {len(header)}")
            if holds_nul:
                raise Flawed("", "holds NUL")
            values = self._pick([*row, None])
            if self._from_wallet:
                values = with_source(values, self._from_wallet)
            return StagedLine(number, self._make(values, {}))
        except Flawed as flaw:
            named = dict(zip(header, row, strict=False))
            return flawed_line(number, flaw, named.get("externalUniqueId"))
