"""What every format comes to before it is lines."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

DAY: Final = timedelta(days=1)


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


class Days(NamedTuple):
    """From the first to the last, both included."""

    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Statement:
    """A whole file, oldest entry first."""

    entries: Sequence[Entry]
    currency: str | None = None
    opening: Decimal | None = None
    closing: Decimal | None = None
    whole: Days | None = None
    """Of which it surely has every entry: a row that is not here is not at the bank."""
    accounted: Days | None = None
    """For which it accounts: those, and the days at its ends for which its balances speak."""
    account: str | None = None
    """Whose it is, where it says so."""


def days(first: date, last: date) -> Days | None:
    """None where the last one is before the first."""
    return Days(first, last) if first <= last else None


def between(first: date, last: date) -> Days | None:
    """The days after the one and before the other: of either a file may have a part only."""
    return Days(first + DAY, last - DAY) if last - first > DAY else None


def between_entries(entries: Sequence[Entry]) -> Days | None:
    """For files that say no days: those of their entries."""
    if not entries:
        return None
    booked = [entry.booked for entry in entries]
    return between(min(booked), max(booked))


def by_balances(opening: date, closing: date, booked: Collection[date]) -> Days | None:
    """The days that lie between two balances of these days. The opening one is dated as the closing
    one before it, as a rule: then its day is not among them. Banks that date it as the first day of
    their statement show that by an entry on it; or by a closing balance of the same day."""
    if opening in booked or opening >= closing:
        return days(opening, closing)
    return Days(opening + DAY, closing)
