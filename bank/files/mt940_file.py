"""MT940, by ``mt-940`` (BSD-3-Clause)."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import mt940

from bank.files.entries import Entry, FileInvalid, Statement

_ACCOUNT: Final = re.compile(r"^:25P?:[ \t]*([^\r\n]+?)[ \t]*$", re.M)


def read(body: bytes) -> Statement:
    """All statements of the file, one after the other. Raises ``FileInvalid``."""
    try:
        text = body.decode()
    except UnicodeDecodeError:
        text = body.decode("latin-1")
    try:
        found = mt940.models.Transactions()
        found.parse(text)
    except Exception as error:  # the library raises whatever its parts raise
        raise FileInvalid(f"it is no MT940: {type(error).__name__}: {error}") from None
    entries = [_entry(each.data) for each in found]
    opening = found.data.get("final_opening_balance") or found.data.get("opening_balance")
    closing = found.data.get("final_closing_balance") or found.data.get("closing_balance")
    if opening is None or closing is None:
        raise FileInvalid("it has no opening or no closing balance")
    # Of several statements in one file the library keeps the last one's balances only.
    several = text.count(":60F:") + text.count(":60M:") > 1
    return Statement(
        entries,
        opening.amount.currency,
        None if several else opening.amount.amount,
        None if several else closing.amount.amount,
        None if several else _plain_day(opening.date),
        None if several else _plain_day(closing.date),
        _account(text),
    )


def _account(text: str) -> str | None:
    """Raises ``FileInvalid`` where there are several."""
    named = set(_ACCOUNT.findall(text))
    if len(named) > 1:
        raise FileInvalid("it has statements of several accounts; hand in one at a time")
    return next(iter(named), None)


def _entry(data: dict[str, Any]) -> Entry:
    words = [
        data.get(name)
        for name in (
            *("transaction_details", "purpose", "additional_purpose"),
            *("end_to_end_reference", "customer_reference", "extra_details"),
        )
    ]
    amount: Decimal = data["amount"].amount
    booked = data.get("entry_date") or data.get("guessed_entry_date") or data["date"]
    return Entry(
        booked=_plain_day(booked),
        amount=amount,
        description=" ".join(str(each) for each in words if each and each != "NONREF"),
        valued=_plain_day(data["date"]),
        kind=data.get("id"),
    )


def _plain_day(day: Any) -> date:
    if isinstance(day, datetime):
        return day.date()
    return date(day.year, day.month, day.day)
