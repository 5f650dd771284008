"""What every format comes to before it is lines."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

from bank.lines import Fetched, Line, minor
from ledger.money import LIMIT_MINOR
from topology.texts import clean

#: Banks and programs write more; what is longer helps nobody to match.
_LONGEST: Final = 500
#: Shorter numbers end too many others.
_LONG: Final = 6


class FileInvalid(Exception):
    """The file cannot be read, or contradicts itself; nothing of it was stored."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One booked entry; debits are negative."""

    booked: date
    amount: Decimal
    description: str
    valued: date | None = None
    kind: str | None = None
    balance: Decimal | None = None
    """Behind it, where the format has one per entry."""


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole file, oldest entry first."""

    entries: Sequence[Entry]
    currency: str | None = None
    opening: Decimal | None = None
    closing: Decimal | None = None
    first: date | None = None
    last: date | None = None
    """The days it covers, where it says so."""
    account: str | None = None
    """Whose it is, where it says so."""


def require_account(statement: Statement, known: Collection[str | None]) -> None:
    """That it is the statement of the account which has these numbers. Raises ``FileInvalid``.

    Digits count alone: branch or bank may stand before the number, and zeros.
    """
    named = _digits(statement.account)
    numbers = {_digits(each) for each in known} - {""}
    if not named or not numbers:
        return
    if not any(named == each or (len(each) >= _LONG and named.endswith(each)) for each in numbers):
        raise FileInvalid(f"it is of account {statement.account}, and was handed in for another")


def _digits(text: str | None) -> str:
    return re.sub(r"[^0-9]", "", text or "", flags=re.ASCII).lstrip("0")


def fetched_of(statement: Statement, source: str, currency: str, exponent: int) -> Fetched:
    """Lines in minor units. Where opening and closing balance are there they have to agree with
    what lies between them. Raises ``FileInvalid``."""
    if statement.currency not in (None, currency):
        raise FileInvalid(f"it is in {statement.currency}, the account in {currency}")
    entries = sorted(statement.entries, key=lambda entry: entry.booked)
    running = _minor(statement.opening, exponent, "the opening balance")
    closing = _minor(statement.closing, exponent, "the closing balance")
    lines = []
    for number, entry in enumerate(entries, 1):
        amount = _minor(entry.amount, exponent, f"the amount of entry {number}")
        if not amount:
            continue  # banks write notes as entries of nothing
        running = None if running is None else _bounded(running + amount)
        told = _minor(entry.balance, exponent, f"the balance behind entry {number}")
        lines.append(_line(entry, amount, told if told is not None else running))
    if closing is not None and running is not None and closing != running:
        raise FileInvalid("its entries do not lead from its opening balance to its closing one")
    days = [entry.booked for entry in entries]
    if not days and (statement.first is None or statement.last is None):
        raise FileInvalid("it has no entries, and does not say which days it covers")
    first, last = statement.first or min(days), statement.last or max(days)
    # Only balances prove that the first and the last day are complete.
    whole = running is not None and closing is not None
    return Fetched(source, first, last, lines, (), whole)


def _line(entry: Entry, amount: int, running: int | None) -> Line:
    return Line(
        posting_date=entry.booked,
        posted_order=None,
        credit=amount > 0,
        amount_minor=abs(amount),
        description=_clean(entry.description),
        transaction_type=_clean(entry.kind or "") or None,
        value_date=entry.valued,
        transaction_date=None,
        running_minor=running,
    )


def _clean(text: str) -> str:
    return " ".join(clean(text).split())[:_LONGEST]


def _bounded(balance: int) -> int:
    if abs(balance) > LIMIT_MINOR:
        raise FileInvalid("its entries come to more than there can be")
    return balance


def _minor(amount: Decimal | None, exponent: int, what: str) -> int | None:
    if amount is None:
        return None
    found = minor(amount, exponent) if amount.is_finite() else None
    if found is None:
        raise FileInvalid(f"{what} is none of the account's currency: {amount}")
    return found
