"""Reading an extract of Eclipse's transactions: CSV with a header, or NDJSON with the same names.

A bad line costs that line, and is among the differences; a header that cannot be right costs the
file (``Unreadable``), and so do lines beyond number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, NamedTuple
from uuid import UUID

from bank.reconciliation.extract_forms import LONGEST_AMOUNT, Csv, Flawed, ndjson_values
from ledger.batches import Format
from ledger.money import InvalidAmount, UnknownCurrency, exponent_of, parse_amount
from producers.bulk.unpacking import LINE_LIMIT, Unreadable

#: Each line is kept until it is compared, and may end as a difference that is kept for good. A few
#: megabytes can unpack to any number of them: this is ten times what is promised.
MOST_LINES: Final = 10_000_000
#: A file of which so many lines are none is something else.
MOST_FLAWED: Final = 100_000
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_LONGEST_KEY: Final = 200
_LONGEST_NAME: Final = 100
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


class Extract:
    """From numbered lines of text to transactions."""

    def __init__(self, form: Format) -> None:
        self._csv = Csv() if form is Format.CSV else None
        self._values: Callable[[str], Mapping[str, Any]] = (
            ndjson_values if self._csv is None else self._csv.values
        )
        self._flawed = 0

    def read(self, first: int, lines: Sequence[str | None]) -> Read:
        """What stands in these lines, blank ones left out; ``first`` is the number of the first.
        Raises ``Unreadable``."""
        if first + len(lines) - 1 > MOST_LINES:
            raise Unreadable(f"has more than {MOST_LINES} lines: compare a shorter period")
        found = Read([], [])
        for number, text in enumerate(lines, first):
            if text is not None and (not text or text.isspace()):
                continue
            if self._csv is not None and self._csv.needs_header:
                self._csv.take_header(text)
                continue
            values: Mapping[str, Any] = {}
            try:
                if text is None:
                    raise Flawed(f"has more than {LINE_LIMIT} characters")
                values = self._values(text)
                found.lines.append(_line(number, values))
            except Flawed as flaw:
                found.flawed.append(FlawedLine(number, _shown(values), str(flaw)))
                self._count(found.flawed[-1])
        return found

    def end(self) -> None:
        """Nothing more comes. Raises ``Unreadable``."""
        if self._csv is not None and self._csv.needs_header:
            raise Unreadable("is empty: there is no header")

    def _count(self, last: FlawedLine) -> None:
        self._flawed += 1
        if self._flawed > MOST_FLAWED:
            raise Unreadable(
                f"is none: more than {MOST_FLAWED} of its lines cannot be used; line {last.number}"
                f" {last.problem}"
            )


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
        raise Flawed("externalUniqueId is required")
    if len(key) > _LONGEST_KEY:
        raise Flawed(f"externalUniqueId must have at most {_LONGEST_KEY} characters")
    if not _storable(key):
        raise Flawed("externalUniqueId holds what no key can: NUL or half a character")
    return key


def _side(side: str, wallet_id: str | None, name: str | None) -> tuple[UUID | None, str | None]:
    if wallet_id and name:
        raise Flawed(f"{side}ExternalUniqueId must be empty where {side}WalletId is not")
    if wallet_id:
        return _by_id(wallet_id)
    if not name:
        raise Flawed(f"{side}WalletId is required, or {side}ExternalUniqueId instead")
    return None, _name(name)


@lru_cache(maxsize=20_000)
def _by_id(text: str) -> tuple[UUID | None, str | None]:
    """What is no id of ours names a wallet that does not exist: the comparison says so."""
    return (UUID(text), None) if _UUID.fullmatch(text) else (None, _name(text))


def _name(text: str) -> str:
    if len(text) > _LONGEST_NAME or not _storable(text):
        raise Flawed(f"{text[:20]!r} is no name of a wallet")
    return text


def _amount(given: str | Decimal | None) -> Decimal:
    if given is None or given == "":
        raise Flawed("amount is required")
    # Zeros behind the point may be any number: what is remembered has to be small.
    if isinstance(given, str) and len(given) > LONGEST_AMOUNT:
        raise Flawed(f"amount must have at most {LONGEST_AMOUNT} characters")
    return _parsed(given)


@lru_cache(maxsize=20_000)
def _parsed(given: str | Decimal) -> Decimal:
    try:
        return parse_amount(given)
    except InvalidAmount as error:
        raise Flawed(f"amount {error}") from None


@lru_cache(maxsize=500)
def _currency(code: str | None) -> str | None:
    if code is not None:
        try:
            exponent_of(code)
        except UnknownCurrency:
            raise Flawed(f"currency {code[:20]!r} is not one of ISO 4217's") from None
    return code


def _time(text: str | None) -> datetime | None:
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None or moment.year not in _YEARS:
        raise Flawed(f"time {text[:40]!r} is not RFC 3339 with a zone")
    return moment


def _state(word: str | None) -> str:
    if not word:
        raise Flawed("status is required")
    return _known(word.strip())


@lru_cache(maxsize=500)
def _known(word: str) -> str:
    state = STATES.get(word.upper().replace(" ", "_").replace("-", "_"))
    if state is None:
        raise Flawed(f"status {word[:30]!r} is not one of {', '.join(sorted(STATES))}")
    return state.value


def _storable(text: str) -> bool:
    return "\0" not in text and (text.isascii() or not any("\ud800" <= c <= "\udfff" for c in text))
