"""CSV with a map that says which column is what."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Final

import msgspec

from bank.files.entries import Entry, FileInvalid, Statement, between_entries

#: Digits, or groups of three of them that are all parted alike.
_GROUPED: Final = r"([+-]?(?:[0-9]+|[0-9]{1,3}(?:([ '\u00a0\u202f%s])[0-9]{3})(?:\2[0-9]{3})*))"
_POINT: Final = re.compile(_GROUPED % "," + r"(?:\.([0-9]+))?")
_COMMA: Final = re.compile(_GROUPED % "." + r"(?:,([0-9]+))?")
MOST_LINES: Final = 200_000


class ColumnsInvalid(ValueError):
    """The text says what a map looks like."""


class Columns(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """The header of each column. ``amount`` (debits negative), or ``credit`` and ``debit``."""

    date: str
    description: str
    amount: str | None = None
    credit: str | None = None
    debit: str | None = None
    value_date: str | None = None
    balance: str | None = None
    date_format: str = "%Y-%m-%d"
    delimiter: Annotated[str, msgspec.Meta(min_length=1, max_length=1)] = ","
    decimal_comma: bool = False
    newest_first: bool = False


def columns_of(text: str) -> Columns:
    """Raises ``ColumnsInvalid``."""
    try:
        found = msgspec.json.decode(text, type=Columns)
    except msgspec.DecodeError as error:
        raise ColumnsInvalid(f"is no map of columns: {error}") from None
    if (found.amount is None) == (found.credit is None and found.debit is None):
        raise ColumnsInvalid("needs amount, or credit and debit, and not both")
    if (found.credit is None) != (found.debit is None):
        raise ColumnsInvalid("needs credit and debit together")
    return found


def read(body: bytes, columns: Columns) -> Statement:
    """Raises ``FileInvalid``, with the line that cannot be read."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = body.decode("cp1252", errors="replace")
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=columns.delimiter, strict=True)
    entries: list[Entry] = []
    try:
        _require(columns, reader.fieldnames or [])
        for row in reader:
            if len(entries) >= MOST_LINES:
                raise FileInvalid(f"it has more than {MOST_LINES} lines")
            if any(value for value in row.values()):
                entries.append(_entry(row, columns))
    except csv.Error as error:
        raise FileInvalid(f"line {reader.line_num}: {error}") from None
    except (ValueError, InvalidOperation) as error:
        raise FileInvalid(f"line {reader.line_num}: {error}") from None
    # It says no days: of those of its first and its last entry it may have a part.
    days = between_entries(entries)
    ordered = entries[::-1] if columns.newest_first else entries
    return Statement(ordered, whole=days, accounted=days)


def _require(columns: Columns, header: Collection[str]) -> None:
    wanted = (
        *(columns.date, columns.description, columns.amount),
        *(columns.credit, columns.debit, columns.value_date, columns.balance),
    )
    missing = [name for name in wanted if name is not None and name not in header]
    if missing:
        raise FileInvalid(f"it has no column {', '.join(missing)}")


def _entry(row: Mapping[str, str | None], columns: Columns) -> Entry:
    if None in row or any(value is None for value in row.values()):
        raise ValueError("it has not as many columns as the header")
    valued = _cell(row, columns.value_date)
    return Entry(
        booked=_day(_cell(row, columns.date), columns),
        amount=_amount(row, columns),
        description=_cell(row, columns.description),
        valued=_day(valued, columns) if valued else None,
        balance=_number(_cell(row, columns.balance), columns) if columns.balance else None,
    )


def _amount(row: Mapping[str, str | None], columns: Columns) -> Decimal:
    if columns.amount is not None:
        return _number(_cell(row, columns.amount), columns)
    credit, debit = _cell(row, columns.credit), _cell(row, columns.debit)
    if bool(credit) == bool(debit):
        raise ValueError("it needs a credit or a debit, and not both")
    number = _number(credit or debit, columns)
    return number if credit else -abs(number)


def _cell(row: Mapping[str, str | None], name: str | None) -> str:
    return "" if name is None else (row[name] or "").strip()


def _day(text: str, columns: Columns) -> date:
    return datetime.strptime(text, columns.date_format).date()


def _number(text: str, columns: Columns) -> Decimal:
    read = (_COMMA if columns.decimal_comma else _POINT).fullmatch(text)
    if read is None:
        mark = "a comma" if columns.decimal_comma else "a point"
        raise ValueError(f"{text!r} is no amount with {mark} before the cents")
    whole, _, part = read.groups()
    return Decimal(re.sub(r"[^0-9+-]", "", whole) + "." + (part or "0"))
