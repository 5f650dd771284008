"""From a line of an extract to its values by name: CSV with a header, or NDJSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from producers.bulk.unpacking import Unreadable

COLUMNS: Final = frozenset(
    {
        *("externalUniqueId", "fromWalletId", "fromExternalUniqueId", "toWalletId"),
        *("toExternalUniqueId", "amount", "currency", "time", "status"),
    }
)
#: More than any amount needs; what is longer is neither turned into a number nor remembered.
LONGEST_AMOUNT: Final = 40
_SIDES: Final = ("from", "to")
_SHOWN: Final = 100


class Flawed(Exception):
    """The line cannot be used; the text says why."""


class Csv:
    """Its first line that is not blank is the header."""

    def __init__(self) -> None:
        self.needs_header = True
        self._header: list[str] = []
        self._delimiter = ","

    def take_header(self, text: str | None) -> None:
        """None: a line that is too long. Raises ``Unreadable``."""
        if text is None:
            raise Unreadable("has no header: its first line is too long for one")
        self._delimiter = ";" if ";" in text and "," not in text else ","
        try:
            header = [name.strip() for name in self._cells(text)]
        except Flawed as flaw:
            raise Unreadable(f"has no header that can be read: it {flaw}") from None
        unknown = [name for name in header if name not in COLUMNS]
        if unknown:
            known = ", ".join(sorted(COLUMNS))
            raise Unreadable(f"has a column {unknown[0][:50]!r} in its header; known are {known}")
        if len(set(header)) != len(header):
            raise Unreadable("names a column twice in its header")
        sides = [(f"{side}WalletId", f"{side}ExternalUniqueId") for side in _SIDES]
        for names in (("externalUniqueId",), ("amount",), ("status",), *sides):
            if not set(names) & set(header):
                raise Unreadable(f"has no column {' or '.join(names)} in its header")
        self._header, self.needs_header = header, False

    def values(self, text: str) -> Mapping[str, str]:
        """Raises ``Flawed``."""
        cells = self._cells(text)
        if len(cells) != len(self._header):
            raise Flawed(f"has {len(cells)} columns, the header has {len(self._header)}")
        return dict(zip(self._header, cells, strict=True))

    def _cells(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self._delimiter)
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error as error:
            raise Flawed(f"is not CSV: {error}") from None


def ndjson_values(text: str) -> Mapping[str, Any]:
    """Texts, numbers as ``Decimal``, and None. Raises ``Flawed``."""
    try:
        values = json.loads(text, parse_float=_number, parse_int=_number, object_pairs_hook=_unique)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise Flawed(f"is not JSON: {str(error)[:_SHOWN]}") from None
    if not isinstance(values, dict):
        raise Flawed("is not a JSON object")
    unknown = values.keys() - COLUMNS
    if unknown:
        raise Flawed(f"has a member {min(unknown)[:50]!r} that is not known")
    for name, value in values.items():
        is_number = isinstance(value, Decimal) and name == "amount"
        if not (value is None or isinstance(value, str) or is_number):
            raise Flawed(f"{name} must be a string")
    return values


def _number(text: str) -> Decimal:
    if len(text) > LONGEST_AMOUNT:
        raise Flawed(f"has a number of more than {LONGEST_AMOUNT} characters")
    return Decimal(text)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Flawed("names a member twice")
    return found
