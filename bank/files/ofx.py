"""OFX, both as SGML (1.x: elements that are not closed) and as XML (2.x): what a statement has.

``STMTTRN/{DTPOSTED, TRNAMT, TRNTYPE, NAME, MEMO}``, ``CURDEF``, ``BANKTRANLIST/{DTSTART, DTEND}``.
Its ``LEDGERBAL`` is of the day on which the file was made, and so proves nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal, InvalidOperation
from html import unescape
from typing import Final

from bank.files.entries import Days, Entry, FileInvalid, Statement, between, between_entries
from bank.investec.records import bank_day

_ENTRY: Final = re.compile(r"<STMTTRN>(.*?)(?=</STMTTRN>|<STMTTRN>|</BANKTRANLIST>)", re.S | re.I)
_ELEMENT: Final = re.compile(r"<([A-Z0-9.]+)>([^<\r\n]*)", re.I)
_DAY: Final = re.compile(r"[0-9]{8}", re.ASCII)
_TIME: Final = re.compile(
    r"([0-9]{14})(?:\.[0-9]+)?\s*\[([+-]?[0-9]{1,2}(?:\.[0-9]+)?)(?::[^\]]*)?\]", re.ASCII
)
#: No other of Python's codecs: some take days for what a file may hold, or are no text.
_CHARSET: Final = re.compile(
    rb"^CHARSET:[ \t]*(utf-8|iso-8859-1|us-ascii|(?:cp|windows-)?[0-9]{3,5})[ \t]*\r?$", re.M | re.I
)
_CURRENCY: Final = re.compile(r"<CURRENCY>", re.I)


def read(body: bytes) -> Statement:
    """Raises ``FileInvalid``."""
    text = _decoded(body)
    if not re.search(r"<OFX>", text, re.I):
        raise FileInvalid("it is no OFX")
    if len(re.findall(r"<STMTRS>", text, re.I)) != 1:
        raise FileInvalid("it has not exactly one bank statement; hand in one account at a time")
    head, _, _ = text.partition("<STMTTRN>")
    around = _elements(head)
    found = _ENTRY.findall(text)
    if any(_CURRENCY.search(each) for each in found):
        raise FileInvalid("it has entries in another currency than its own")
    try:
        entries = [_entry(_elements(each)) for each in found]
        days = _days(around, entries)
        return Statement(
            sorted(entries, key=lambda entry: entry.booked),
            around["CURDEF"],
            whole=days,
            accounted=days,
            account=around.get("ACCTID"),
        )
    except (KeyError, ValueError, InvalidOperation) as error:
        raise FileInvalid(f"it is no OFX that can be read: {error!r}") from None


def _days(around: dict[str, str], entries: Sequence[Entry]) -> Days | None:
    """Where it begins and where it ends may be in the middle of a day; there are banks for which
    both are the day on which the file was made."""
    if "DTSTART" in around and "DTEND" in around:
        return between(_day(around["DTSTART"]), _day(around["DTEND"]))
    return between_entries(entries)


def _entry(found: dict[str, str]) -> Entry:
    name, memo = found.get("NAME", ""), found.get("MEMO", "")
    return Entry(
        booked=_day(found["DTPOSTED"]),
        amount=Decimal(found["TRNAMT"].replace(",", ".")),
        description=name if memo in name else f"{name} {memo}",
        kind=found.get("TRNTYPE"),
    )


def _elements(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in _ELEMENT.findall(text):
        if value.strip():
            found.setdefault(name.upper(), unescape(value.strip()))
    return found


def _day(text: str) -> date:
    """South Africa's, where the time of another zone stands there."""
    zoned = _TIME.match(text)
    if zoned is not None:
        zone = timezone(timedelta(hours=float(zoned[2])))
        return bank_day(datetime.strptime(zoned[1], "%Y%m%d%H%M%S").replace(tzinfo=zone))
    match = _DAY.match(text)
    if match is None:
        raise ValueError(f"{text!r} is no day")
    return date.fromisoformat(match[0])


def _decoded(body: bytes) -> str:
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError:
        charset = _CHARSET.search(body)
        name = charset[1].decode() if charset else "1252"
        try:
            return body.decode(f"cp{name}" if name.isdigit() else name, errors="replace")
        except LookupError:
            return body.decode("cp1252", errors="replace")
