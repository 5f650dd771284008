"""CAMT.053 (ISO 20022) of any version: entries that are booked, and the balances around them.

Elements are found by name, whatever the namespace: ``Ntry/{Amt@Ccy, CdtDbtInd, RvslInd, Sts,
BookgDt, ValDt, AddtlNtryInf, NtryDtls/TxDtls/{Refs/EndToEndId, RmtInf/{Ustrd,
Strd/CdtrRefInf/Ref}}}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from defusedxml import ElementTree
from defusedxml.common import DefusedXmlException

from bank.files.entries import Entry, FileInvalid, Statement
from bank.investec.records import SAST, bank_day

_OPENING: Final = ("OPBD", "PRCD")
_CLOSING: Final = "CLBD"
_ZONED: Final = re.compile(r"T.*(Z|[+-][0-9]{2}:[0-9]{2})$")
_MIDNIGHT: Final = re.compile(r"T00:00(?::00(?:\.0+)?)?$")


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
        return _statement(statement)
    except (InvalidOperation, ValueError) as error:
        raise FileInvalid(f"it is no CAMT.053: {error}") from None


def _statement(statement: Any) -> Statement:
    booked = [each for each in _children(statement, "Ntry") if _is_booked(each)]
    entries = [_entry(each) for each in booked]
    balances = {
        _text(each, "Tp", "CdOrPrtry", "Cd"): _signed(each) for each in _children(statement, "Bal")
    }
    opening = next((balances[code] for code in _OPENING if code in balances), None)
    return Statement(
        sorted(entries, key=lambda entry: entry.booked),
        _currency(statement, booked),
        opening,
        balances.get(_CLOSING),
        _day(_text(statement, "FrToDt", "FrDtTm")),
        _last_day(_text(statement, "FrToDt", "ToDtTm")),
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
    """South Africa's, where the time of another zone stands there."""
    if text is None:
        return None
    if _ZONED.search(text):
        return bank_day(datetime.fromisoformat(text))
    return date.fromisoformat(text[:10])


def _last_day(text: str | None) -> date | None:
    """A period that ends with the first moment of a day has nothing of it."""
    if text is None:
        return None
    if _ZONED.search(text):
        text = datetime.fromisoformat(text).astimezone(SAST).replace(tzinfo=None).isoformat()
    day = date.fromisoformat(text[:10])
    return day - timedelta(days=1) if _MIDNIGHT.search(text) else day
