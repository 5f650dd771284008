"""NDJSON: an object per line, with the names of the CSV's columns and ``metadata``."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any, Final

import msgspec

from ledger.money import InvalidAmount, parse_amount
from ledger.rejections import Code
from ledger.staged import StagedLine
from producers.bulk.commands_of import (
    TOO_LONG,
    Flawed,
    Make,
    Values,
    flawed_line,
    with_source,
)


class _Object(msgspec.Struct, rename="camel", forbid_unknown_fields=True, gc=False):
    """Every member that a line of either kind may have."""

    from_wallet_id: str | None = None
    from_external_unique_id: str | None = None
    to_wallet_id: str | None = None
    to_external_unique_id: str | None = None
    amount: msgspec.Raw = msgspec.Raw()
    external_unique_id: str | None = None
    currency: str | None = None
    description: str | None = None
    external_id: str | None = None
    session_id: str | None = None
    name: str | None = None
    metadata: dict[str, str] | None = None


_MEMBERS: Final = tuple(
    zip(_Object.__struct_encode_fields__, _Object.__struct_fields__, strict=True)
)


class Ndjson:
    """One JSON object per line, with the names of the CSV's columns and ``metadata``."""

    def __init__(self, columns: Sequence[str], make: Make, from_wallet: str | None) -> None:
        self._make, self._from_wallet = make, from_wallet
        self._takes = "fromWalletId" in columns
        fields = dict(_MEMBERS)
        self._fields = [fields[name] for name in columns]
        self._strange = [
            (name, field)
            for name, field in _MEMBERS
            if name not in columns and name not in ("metadata", "amount")
        ]
        self._decoder = msgspec.json.Decoder(_Object)

    def read(self, first: int, lines: Sequence[str | None]) -> list[StagedLine]:
        return [
            self._line(number, line)
            for number, line in enumerate(lines, first)
            if line is None or (line and not line.isspace())
        ]

    def end(self) -> list[StagedLine]:
        return []

    def _line(self, number: int, line: str | None) -> StagedLine:
        key: str | None = None
        try:
            if line is None:
                raise Flawed("", TOO_LONG)
            found = self._decoded(line)
            key = found.external_unique_id
            for name, field in self._strange:
                if getattr(found, field) is not None:
                    raise Flawed(name, "is not a member of this kind of line")
            values: Values = [
                _number(bytes(found.amount)) if field == "amount" else getattr(found, field)
                for field in self._fields
            ]
            if self._takes and self._from_wallet:
                values = with_source(values, self._from_wallet)
            if "\\u" in line or "\0" in line:
                _require_storable((*values, *(found.metadata or {}).items()))
            return StagedLine(number, self._make(values, found.metadata or {}))
        except Flawed as flaw:
            return flawed_line(number, flaw, key)

    def _decoded(self, line: str) -> _Object:
        try:
            found = self._decoder.decode(line)
        except msgspec.ValidationError as error:
            raise Flawed("", str(error)) from None
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise Flawed("", f"is not JSON: {error}") from None
        members = sum(bool(getattr(found, field)) for _, field in _MEMBERS)
        if line.count('":') != members + len(found.metadata or ()):
            # Unusual spelling, nulls, or a member named twice: readers differ on which one counts.
            # The second reader may give up where the first did not: on an object nested just deep
            # enough, which must cost the line and not the file.
            try:
                json.loads(line, object_pairs_hook=_unique, parse_int=str, parse_float=str)
            except (ValueError, RecursionError) as error:
                raise Flawed("", f"is not JSON: {error}") from None
        return found


def _number(raw: bytes) -> str | None:
    """A JSON amount as text that ``parse_amount`` takes: the value counts, not its spelling."""
    text = raw.decode()
    if text in ("", "null"):
        return None
    if text.startswith('"'):
        decoded: str = msgspec.json.decode(raw, type=str)
        return decoded
    try:
        return format(parse_amount(Decimal(text)), "f")
    except (InvalidAmount, ArithmeticError) as error:
        what = str(error) if isinstance(error, InvalidAmount) else "is not a number"
        raise Flawed("amount", what, Code.INVALID_AMOUNT) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Flawed("", "names a member twice")
    return found


def _require_storable(texts: Iterable[object]) -> None:
    for text in texts:
        if "\0" in str(text) or "\\x00" in repr(text):
            raise Flawed("", "holds NUL")
