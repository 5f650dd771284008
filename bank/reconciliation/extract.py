"""Reading an extract of Eclipse's transactions: CSV with a header, or NDJSON with the same names.

A bad line costs that line, and is among the differences; a header that cannot be right costs the
file (``Unreadable``).
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from ledger.batches import Format
from ledger.money import InvalidAmount, UnknownCurrency, exponent_of, parse_amount
from producers.bulk.unpacking import LINE_LIMIT, Unreadable

COLUMNS: Final = frozenset(
    {
        *("externalUniqueId", "fromWalletId", "fromExternalUniqueId", "toWalletId"),
        *("toExternalUniqueId", "amount", "currency", "time", "status"),
    }
)
_SIDES: Final = ("from", "to")
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_LONGEST_KEY: Final = 200
_LONGEST_NAME: Final = 100
_SHOWN: Final = 100
#: Others are slips, and some of them no database can keep.
_YEARS: Final = range(1970, 9000)


class State(StrEnum):
    """What Eclipse says became of a transaction, as far as it matters to the books."""

    DONE = "DONE"
    OPEN = "OPEN"
    """It may still be done."""
    NOT_DONE = "NOT_DONE"
    REVERSED = "REVERSED"
    """It was done, and given back."""


_WORDS: Final = {
    State.DONE: "SUCCESSFUL SUCCESS POSTED COMPLETE COMPLETED DONE SETTLED PROCESSED",
    State.OPEN: "PENDING OPEN IN_PROGRESS PROCESSING SUBMITTED",
    State.NOT_DONE: "FAILED REJECTED DECLINED CANCELLED CANCELED EXPIRED ERROR",
    State.REVERSED: "REVERSED REFUNDED",
}
#: What an extract may say, whatever its case; what else it says nobody can judge.
STATES: Final[Mapping[str, State]] = {
    word: state for state, words in _WORDS.items() for word in words.split()
}


class Line(NamedTuple):
    """One transaction as the extract has it, in the order of the staging table's columns."""

    number: int
    key: str
    from_wallet_id: UUID | None
    from_name: str | None
    to_wallet_id: UUID | None
    to_name: str | None
    amount: Decimal
    currency: str | None
    happened: datetime | None
    state: str
    """Of ``State``, as the table takes it."""


class FlawedLine(NamedTuple):
    """A line that is no transaction, and why."""

    number: int
    key: str | None
    problem: str


class Read(NamedTuple):
    lines: list[Line]
    flawed: list[FlawedLine]


class _Flawed(Exception):
    """The line cannot be used; the text says why."""


class Extract:
    """From numbered lines of text to transactions."""

    def __init__(self, form: Format) -> None:
        self._values: Callable[[str], Mapping[str, Any]] = (
            self._csv if form is Format.CSV else _json
        )
        self._needs_header = form is Format.CSV
        self._header: list[str] = []
        self._delimiter = ","

    def read(self, first: int, lines: Sequence[str | None]) -> Read:
        """What stands in these lines, blank ones left out; ``first`` is the number of the first.
        Raises ``Unreadable``."""
        found = Read([], [])
        for number, text in enumerate(lines, first):
            if text is not None and (not text or text.isspace()):
                continue
            if self._needs_header:
                self._take_header(text)
                continue
            values: Mapping[str, Any] = {}
            try:
                if text is None:
                    raise _Flawed(f"has more than {LINE_LIMIT} characters")
                values = self._values(text)
                found.lines.append(_line(number, values))
            except _Flawed as flaw:
                found.flawed.append(FlawedLine(number, _shown(values), str(flaw)))
        return found

    def end(self) -> None:
        """Nothing more comes. Raises ``Unreadable``."""
        if self._needs_header:
            raise Unreadable("is empty: there is no header")

    def _take_header(self, text: str | None) -> None:
        if text is None:
            raise Unreadable("has no header: its first line is too long for one")
        self._delimiter = ";" if ";" in text and "," not in text else ","
        try:
            header = [name.strip() for name in self._cells(text)]
        except _Flawed as flaw:
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
        self._header, self._needs_header = header, False

    def _csv(self, text: str) -> Mapping[str, str]:
        cells = self._cells(text)
        if len(cells) != len(self._header):
            raise _Flawed(f"has {len(cells)} columns, the header has {len(self._header)}")
        return dict(zip(self._header, cells, strict=True))

    def _cells(self, text: str) -> list[str]:
        if '"' not in text:
            return text.split(self._delimiter)
        try:
            return next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except csv.Error as error:
            raise _Flawed(f"is not CSV: {error}") from None


def _json(text: str) -> Mapping[str, Any]:
    try:
        values = json.loads(text, parse_float=Decimal, parse_int=Decimal, object_pairs_hook=_unique)
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise _Flawed(f"is not JSON: {str(error)[:_SHOWN]}") from None
    if not isinstance(values, dict):
        raise _Flawed("is not a JSON object")
    unknown = values.keys() - COLUMNS
    if unknown:
        raise _Flawed(f"has a member {min(unknown)[:50]!r} that is not known")
    for name, value in values.items():
        is_number = isinstance(value, Decimal) and name == "amount"
        if not (value is None or isinstance(value, str) or is_number):
            raise _Flawed(f"{name} must be a string")
    return values


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Flawed("names a member twice")
    return found


def _shown(values: Mapping[str, Any]) -> str | None:
    """The key of a line that cannot be used, as far as it can be shown and kept."""
    key = values.get("externalUniqueId")
    if not isinstance(key, str) or not key or not _storable(key):
        return None
    return key[:_LONGEST_KEY]


def _line(number: int, values: Mapping[str, Any]) -> Line:
    get = values.get
    from_id, from_name = _side("from", get("fromWalletId"), get("fromExternalUniqueId"))
    to_id, to_name = _side("to", get("toWalletId"), get("toExternalUniqueId"))
    return Line(
        number,
        _key(get("externalUniqueId")),
        from_id,
        from_name,
        to_id,
        to_name,
        _amount(get("amount")),
        _currency(get("currency") or None),
        _time(get("time") or None),
        _state(get("status")),
    )


def _key(key: str | None) -> str:
    if not key:
        raise _Flawed("externalUniqueId is required")
    if len(key) > _LONGEST_KEY:
        raise _Flawed(f"externalUniqueId must have at most {_LONGEST_KEY} characters")
    if not _storable(key):
        raise _Flawed("externalUniqueId holds what no key can: NUL or half a character")
    return key


def _side(side: str, wallet_id: str | None, name: str | None) -> tuple[UUID | None, str | None]:
    if wallet_id and name:
        raise _Flawed(f"{side}ExternalUniqueId must be empty where {side}WalletId is not")
    if wallet_id:
        return _by_id(wallet_id)
    if not name:
        raise _Flawed(f"{side}WalletId is required, or {side}ExternalUniqueId instead")
    return None, _name(name)


@lru_cache(maxsize=20_000)
def _by_id(text: str) -> tuple[UUID | None, str | None]:
    """What is no id of ours names a wallet that does not exist: the comparison says so."""
    return (UUID(text), None) if _UUID.fullmatch(text) else (None, _name(text))


def _name(text: str) -> str:
    if len(text) > _LONGEST_NAME or not _storable(text):
        raise _Flawed(f"{text[:20]!r} is no name of a wallet")
    return text


@lru_cache(maxsize=20_000)
def _amount(given: str | Decimal | None) -> Decimal:
    if given is None or given == "":
        raise _Flawed("amount is required")
    try:
        return parse_amount(given)
    except InvalidAmount as error:
        raise _Flawed(f"amount {error}") from None


@lru_cache(maxsize=500)
def _currency(code: str | None) -> str | None:
    if code is not None:
        try:
            exponent_of(code)
        except UnknownCurrency:
            raise _Flawed(f"currency {code[:20]!r} is not one of ISO 4217's") from None
    return code


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise _Flawed(f"time {text[:40]!r} is not RFC 3339 with a zone")
    return moment


@lru_cache(maxsize=500)
def _state(word: str | None) -> str:
    if not word:
        raise _Flawed("status is required")
    state = STATES.get(word.strip().upper().replace(" ", "_").replace("-", "_"))
    if state is None:
        raise _Flawed(f"status {word[:30]!r} is not one of {', '.join(sorted(STATES))}")
    return state.value


def _storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))
