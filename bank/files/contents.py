"""A file as it was read: lines in minor units, what it proves, and what people have to agree to."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from bank.files.account_names import is_confirmed
from bank.files.entries import DAY, Days, Entry, FileInvalid, Statement, days
from bank.lines import Fetched, Line, minor
from ledger.money import LIMIT_MINOR
from topology.texts import clean

#: Banks and programs write more; what is longer helps nobody to match.
_LONGEST: Final = 500
_LONGEST_NAME: Final = 100


@dataclass(frozen=True, slots=True)
class Contents:
    """Amounts in minor units."""

    fetched: Fetched
    """Its first and last day are those of which the file surely has every row, if ``whole``; else
    it has no such day."""
    accounted: Days | None
    """The days for which it accounts; see ``Statement``."""
    opening_minor: int | None
    closing_minor: int | None
    account: str | None
    """The one that it names."""
    confirmed: bool | None
    """Whether that is the account's; see ``is_confirmed``."""


class Sums(NamedTuple):
    """How many lines there are in each direction, and what they come to."""

    credits: int
    credits_minor: int
    debits: int
    debits_minor: int


def sums_of(lines: Iterable[Line]) -> Sums:
    found = {True: (0, 0), False: (0, 0)}
    for line in lines:
        count, total = found[line.credit]
        found[line.credit] = (count + 1, total + line.amount_minor)
    return Sums(*found[True], *found[False])


def contents_of(
    statement: Statement,
    source: str,
    currency: str,
    exponent: int,
    numbers: Collection[str | None],
    handed_in: date,
) -> Contents:
    """Of a file that was handed in on that day of the bank's, which was not over by then, for the
    account with these numbers. Where opening and closing balance are there they have to agree with
    what lies between them. Raises ``FileInvalid``."""
    confirmed = is_confirmed(statement.account, numbers)
    if statement.currency not in (None, currency):
        raise FileInvalid(f"it is in {statement.currency}, the account in {currency}")
    opening = _minor(statement.opening, exponent, "the opening balance")
    closing = _minor(statement.closing, exponent, "the closing balance")
    entries = sorted(statement.entries, key=lambda entry: entry.booked)
    lines = _lines(entries, opening, closing, exponent)
    whole = _until(statement.whole, handed_in - DAY)
    # Of the day itself a closing balance speaks, where the bank has made one: the next file's
    # opening balance has to go on from it.
    last = handed_in if None not in (opening, closing) else handed_in - DAY
    accounted = _until(statement.accounted, last)
    looked_at = whole or _some_day(entries, statement.accounted)
    return Contents(
        Fetched(source, *looked_at, lines, (), whole is not None, handed_in),
        accounted,
        opening,
        closing,
        _shown(statement.account),
        confirmed,
    )


def _some_day(entries: Sequence[Entry], accounted: Days | None) -> Days:
    """In place of the days that it has all of, where there are none. Raises ``FileInvalid``."""
    if entries:
        return Days(entries[0].booked, entries[0].booked)
    if accounted is None:
        raise FileInvalid("it has no entries, and there is no day that it says to have all of")
    return Days(accounted.last, accounted.last)


def _until(found: Days | None, last: date) -> Days | None:
    """Nothing says what will be there on a later day."""
    return None if found is None else days(found.first, min(found.last, last))


def _lines(
    entries: Sequence[Entry], running: int | None, closing: int | None, exponent: int
) -> list[Line]:
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
    sums = sums_of(lines)
    _bounded(max(sums.credits_minor, sums.debits_minor))
    return lines


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


def _shown(account: str | None) -> str | None:
    return None if account is None else _clean(account)[:_LONGEST_NAME]


def _clean(text: str) -> str:
    return " ".join(clean(text).split())[:_LONGEST]


def _bounded(amount: int) -> int:
    if abs(amount) > LIMIT_MINOR:
        raise FileInvalid("its entries come to more than there can be")
    return amount


def _minor(amount: Decimal | None, exponent: int, what: str) -> int | None:
    if amount is None:
        return None
    found = minor(amount, exponent) if amount.is_finite() else None
    if found is None:
        raise FileInvalid(f"{what} is none of the account's currency: {amount}")
    return found
