"""CAMT.053 (ISO 20022) of any version: entries that are booked, and the balances around them.

Elements are found by name, whatever the namespace: ``Ntry/{Amt@Ccy, CdtDbtInd, RvslInd, Sts,
BookgDt, ValDt, AddtlNtryInf, NtryDtls/TxDtls/{Refs/EndToEndId, RmtInf/{Ustrd,
Strd/CdtrRefInf/Ref}}}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final, NamedTuple

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from bank.files.entries import (
    DAY,
    Days,
    Entry,
    FileInvalid,
    Statement,
    between,
    by_balances,
    days,
)
from bank.investec.records import SAST

_OPENING: Final = "OPBD"
#: What the statement before this one closed with: of the day before, where of the other one nobody
#: knows.
_BEFORE: Final = "PRCD"
_CLOSING: Final = "CLBD"
_ZONED: Final = re.compile(r"T.*(Z|[+-][0-9]{2}:[0-9]{2})$")
#: Nothing is booked in the minute around midnight: banks write 23:59, 23:59:59 and 00:00:00.
_FIRST_MINUTE: Final = time(0, 1)
_LAST_MINUTE: Final = time(23, 59)


class _Balance(NamedTuple):
    amount: Decimal
    day: date | None


def read(body: bytes) -> Statement:
    """Raises ``FileInvalid``."""
    try:
        root = ElementTree.fromstring(body)
    except (ElementTree.ParseError, DefusedXmlException, ValueError) as error:
        raise FileInvalid(f"it is no XML that is read here: {error}") from None
    statements = list(_all(root, "Stmt"))
    if len(statements) != 1:
        raise FileInvalid(f"it has {len(statements)} statements; hand in one account's at a time")
    (statement,) = statements
    try:
        return _statement(statement, is_part=_is_part(root))
    except (InvalidOperation, ValueError) as error:
        raise FileInvalid(f"it is no CAMT.053: {error}") from None


def _statement(statement: Any, *, is_part: bool) -> Statement:
    booked = [each for each in _children(statement, "Ntry") if _is_booked(each)]
    entries = [_entry(each) for each in booked]
    balances = {
        _text(each, "Tp", "CdOrPrtry", "Cd"): _balance(each) for each in _children(statement, "Bal")
    }
    before, closing = balances.get(_BEFORE), balances.get(_CLOSING)
    opening = balances.get(_OPENING, before)
    # Of another amount it is not the one right before this statement.
    dated = before if before and opening and before.amount == opening.amount else opening
    whole, accounted = (None, None) if is_part else _days(statement, dated, closing, entries)
    return Statement(
        sorted(entries, key=lambda entry: entry.booked),
        _currency(statement, booked),
        None if opening is None else opening.amount,
        None if closing is None else closing.amount,
        whole,
        accounted,
        _text(statement, "Acct", "Id", "IBAN") or _text(statement, "Acct", "Id", "Othr", "Id"),
    )


def _currency(statement: Any, booked: Sequence[Any]) -> str:
    """Of what was booked, and of the balances: other amounts are what was instructed, or charged
    elsewhere. Raises ``FileInvalid`` unless it is one."""
    holders = (*_children(statement, "Bal"), *booked)
    named = {amount.get("Ccy") for each in holders for amount in _children(each, "Amt")}
    own = _text(statement, "Acct", "Ccy")
    if own is not None:
        named.add(own)
    if len(named) != 1 or None in named:
        told = ", ".join(sorted(each or "none" for each in named)) or "none"
        raise FileInvalid(f"its amounts have to be in one currency, and are in {told}")
    return str(named.pop())


def _is_part(root: Any) -> bool:
    """Whether there are other pages: the days are those of all of them."""
    pages = {_text(each) for each in _all(root, "PgNb")}
    last = {_text(each) for each in _all(root, "LastPgInd")}
    return bool(pages - {"1"} or last - {"true", "1"})


def _days(
    statement: Any, opening: _Balance | None, closing: _Balance | None, entries: Sequence[Entry]
) -> tuple[Days | None, Days | None]:
    """Of which it has every entry, and for which it accounts: to the minute, where it says its
    period; else the days of its balances."""
    begins = _moment(_text(statement, "FrToDt", "FrDtTm"))
    ends = _moment(_text(statement, "FrToDt", "ToDtTm"))
    closed = None if closing is None else closing.day
    if begins is not None and ends is not None:
        first = begins.date() if begins.time() < _FIRST_MINUTE else begins.date() + DAY
        # A bank that writes no time means the day, if its closing balance is of that day.
        meant = ends.time() >= _LAST_MINUTE or (ends.time() == time(0) and ends.date() == closed)
        found = days(first, ends.date() if meant else ends.date() - DAY)
        return found, found
    if opening is None or opening.day is None or closed is None:
        return None, None
    booked = {entry.booked for entry in entries}
    return between(opening.day, closed), by_balances(opening.day, closed, booked)


def _entry(entry: Any) -> Entry:
    booked = _day(_text(entry, "BookgDt", "Dt") or _text(entry, "BookgDt", "DtTm"))
    if booked is None:
        raise ValueError("an entry that is booked has no booking date")
    words = [each.text for name in ("Ustrd", "Ref") for each in _all(entry, name)]
    words += [each.text for each in _all(entry, "EndToEndId") if each.text != "NOTPROVIDED"]
    words += [each.text for each in _children(entry, "AddtlNtryInf")]
    amount = _signed(entry)
    return Entry(
        booked=booked,
        amount=amount,
        description=" ".join(filter(None, words)),
        valued=_day(_text(entry, "ValDt", "Dt") or _text(entry, "ValDt", "DtTm")),
    )


def _is_booked(entry: Any) -> bool:
    """Before version 8 the status is the element's own text, since then a code in it."""
    return (_text(entry, "Sts") or _text(entry, "Sts", "Cd")) == "BOOK"


def _balance(balance: Any) -> _Balance:
    return _Balance(
        _signed(balance), _day(_text(balance, "Dt", "Dt") or _text(balance, "Dt", "DtTm"))
    )


def _signed(element: Any) -> Decimal:
    """``CdtDbtInd`` is the direction of the money, of reversals too (``RvslInd`` only says so)."""
    direction, text = _text(element, "CdtDbtInd"), _text(element, "Amt")
    if direction not in ("CRDT", "DBIT") or text is None:
        raise ValueError("an amount without a direction")
    return Decimal(text) if direction == "CRDT" else -Decimal(text)


def _text(element: Any, *path: str) -> str | None:
    for name in path:
        element = next(_children(element, name), None)
        if element is None:
            return None
    text: str = (element.text or "").strip()
    return text or None


def _children(element: Any, name: str) -> Iterator[Any]:
    return (each for each in element if _local(each) == name)


def _all(element: Any, name: str) -> Iterator[Any]:
    return (each for each in element.iter() if _local(each) == name)


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _day(text: str | None) -> date | None:
    moment = _moment(text)
    return None if moment is None else moment.date()


def _moment(text: str | None) -> datetime | None:
    """As South Africa's clocks have it, where the time of another zone stands there. What is no
    time of day, as 24:00 is none, is as good as none."""
    if text is None:
        return None
    if _ZONED.search(text):
        return datetime.fromisoformat(text).astimezone(SAST).replace(tzinfo=None)
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return datetime.combine(date.fromisoformat(text[:10]), time())
