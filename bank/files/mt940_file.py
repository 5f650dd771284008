"""MT940: entries by ``mt-940`` (BSD-3-Clause), page by page; balances here.

A file may be one statement on several pages (``:62M:``, ``:60M:``), or several statements. They are
one where each goes on from the balance of the one before it. Of a whole file the library would keep
the last balances only, and take what stands behind a closing one for words of the last entry.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final, NamedTuple

import mt940

from bank.files.entries import DAY, Days, Entry, FileInvalid, Statement, between, by_balances

_ACCOUNT: Final = re.compile(r"^:25P?:([^\r\n]*)", re.M)
_BALANCES: Final = re.compile(r"^:6[02][FM]?:", re.M)
_BALANCE: Final = re.compile(
    r"^:6([02])[FM]?:[ \t]*([CDcd])([0-9]{6})([A-Z]{3})([0-9]+(?:,[0-9]*)?)[ \t]*\r?$", re.M
)
_PAGE: Final = re.compile(r"^:60[FM]?:.*?^:62[FM]?:[^\n]*", re.M | re.S)
_ENTRIES: Final = re.compile(r"^:61:", re.M)
#: Else a credit that is taken back (``RC``) would be one more credit, and a reference in ``:61:``
#: would be lost to an ``:86:`` that has fields.
_OPTIONS: Final = mt940.Options.all()


class _Balance(NamedTuple):
    opens: bool
    day: date
    currency: str
    amount: Decimal


class _Page(NamedTuple):
    """What stands between two balances."""

    opening: _Balance
    closing: _Balance
    entries: Sequence[Mapping[str, Any]]
    """As the library has them."""


def read(body: bytes) -> Statement:
    """All statements of the file, one after the other. Raises ``FileInvalid``."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    pages = _pages(text)
    _require_whole(pages, text)
    opening, closing = pages[0].opening, pages[-1].closing
    found = [data for page in pages for data in page.entries]
    booked = [_booked(data) for data in found]
    accounted = _accounted(pages, {day for day in booked if day is not None})
    # Where entries have no day of booking nobody knows on which day one would be.
    is_dated = bool(booked) and None not in booked
    return Statement(
        [_entry(data) for data in found],
        opening.currency,
        opening.amount,
        closing.amount,
        # Of the first and the last day it may have a part: there are banks with several a day.
        between(opening.day, closing.day) if accounted and is_dated else None,
        accounted,
        _account(text),
    )


def _account(text: str) -> str | None:
    """Raises ``FileInvalid`` where there are several."""
    named = {each.strip() for each in _ACCOUNT.findall(text)} - {""}
    if len(named) > 1:
        raise FileInvalid("it has statements of several accounts; hand in one at a time")
    return next(iter(named), None)


def _pages(text: str) -> Sequence[_Page]:
    """At least one, and all in one currency. Raises ``FileInvalid``."""
    balances = _balances(text)
    pages = [_parsed(page) for page in _PAGE.findall(text)]
    return [_Page(*each) for each in zip(balances[::2], balances[1::2], pages, strict=True)]


def _parsed(page: str) -> Sequence[Mapping[str, Any]]:
    found = mt940.models.Transactions(options=_OPTIONS)
    try:
        found.parse(page)
    except Exception as error:  # the library raises whatever its parts raise
        raise FileInvalid(f"it is no MT940: {type(error).__name__}: {error}") from None
    return [each.data for each in found]


def _require_whole(pages: Sequence[_Page], text: str) -> None:
    """That no entry was lost and no page is missing. Raises ``FileInvalid``."""
    # Of entries without a type the library keeps the last one.
    if sum(len(page.entries) for page in pages) != len(_ENTRIES.findall(text)):
        raise FileInvalid("it has entries without a type, or outside of its balances")
    for page in pages:
        moved = sum((data["amount"].amount for data in page.entries), Decimal())
        if page.opening.amount + moved != page.closing.amount:
            raise FileInvalid("its entries do not lead from its opening balance to its closing one")
    if any(page.closing.amount != later.opening.amount for page, later in pairwise(pages)):
        raise FileInvalid(
            "a statement in it does not go on from the balance of the one before it:"
            " hand in one at a time"
        )


def _balances(text: str) -> Sequence[_Balance]:
    """Opening and closing ones by turns, all in one currency. Raises ``FileInvalid``."""
    found = [_balance(each) for each in _BALANCE.finditer(text)]
    if len(found) != len(_BALANCES.findall(text)):
        raise FileInvalid("it has a balance that cannot be read")
    by_turns = all(each.opens == (number % 2 == 0) for number, each in enumerate(found))
    if not found or len(found) % 2 or not by_turns:
        raise FileInvalid("it has no opening or no closing balance")
    if len({each.currency for each in found}) > 1:
        raise FileInvalid("it has statements in several currencies; hand in one at a time")
    return found


def _balance(found: re.Match[str]) -> _Balance:
    kind, mark, day, currency, text = found.groups()
    amount = Decimal(text.replace(",", "."))
    try:
        dated = datetime.strptime(day, "%y%m%d").date()
    except ValueError:
        raise FileInvalid(f"it has a balance of no day: {day}") from None
    return _Balance(kind == "0", dated, currency, amount if mark in "Cc" else -amount)


def _accounted(pages: Sequence[_Page], booked: Collection[date]) -> Days | None:
    """The days from the first balance to the last one; None where days lie between two statements,
    or they are in no order."""
    found = [by_balances(page.opening.day, page.closing.day, booked) for page in pages]
    days = [each for each in found if each is not None]
    if len(days) < len(found):
        return None
    if not all(
        earlier.first <= later.first <= earlier.last + DAY for earlier, later in pairwise(days)
    ):
        return None
    return Days(days[0].first, max(each.last for each in days))


def _entry(data: Mapping[str, Any]) -> Entry:
    words = [
        data.get(name)
        for name in (
            *("transaction_details", "purpose", "additional_purpose"),
            *("end_to_end_reference", "customer_reference", "extra_details"),
        )
    ]
    amount: Decimal = data["amount"].amount
    valued = _plain_day(data["date"])
    return Entry(
        booked=_booked(data) or valued,
        amount=amount,
        description=" ".join(str(each) for each in words if each and each != "NONREF"),
        valued=valued,
        kind=data.get("id"),
    )


def _booked(data: Mapping[str, Any]) -> date | None:
    found = data.get("entry_date")
    return None if found is None else _plain_day(found)


def _plain_day(day: Any) -> date:
    if isinstance(day, datetime):
        return day.date()
    return date(day.year, day.month, day.day)
