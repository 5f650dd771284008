"""The members of the bank's JSON, one at a time: lenient in form, and never a guess."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from topology.texts import clean

Read = TypeVar("Read")

SHOWN: Final = 500
_NUMBER: Final = re.compile(r"\s*[-+]?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]{1,4})?\s*", re.ASCII)
_DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%Y%m%d")
#: What systems write that have no null for dates.
_NO_DAYS: Final = frozenset({date(1, 1, 1), date(1900, 1, 1)})
_MOST_DIGITS: Final = 13


class Unreadable(ValueError):
    """The answer is not what was asked for."""


def document(body: bytes) -> Any:
    """JSON with every number exactly as it was written. Raises ``Unreadable``."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise Unreadable(f"not JSON: {error}") from None


def amount(value: object) -> Decimal:
    """A number, or one in a string; balances may be less than zero. Raises ``Unreadable``, also for
    parts of a cent."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unreadable(f"{value!r:.100} is no amount")
    if isinstance(value, str) and not _NUMBER.fullmatch(value):
        raise Unreadable(f"{value!r:.100} is no amount")
    read = Decimal(value)
    if not read.is_finite() or read.adjusted() >= _MOST_DIGITS or read != round(read, 2):
        raise Unreadable(f"{value!r:.100} is no amount")
    return read


def day(value: object) -> date | None:
    """Without a time, whatever it is called; null, empty and the first days of calendars are none.
    Raises ``Unreadable``."""
    if value is None or value == "":
        return None
    for pattern in _DATES:
        try:
            read = datetime.strptime(str(value)[:10], pattern).date()
        except ValueError:
            continue
        return None if read in _NO_DAYS else read
    raise Unreadable(f"{value!r:.100} is no date")


def whole(value: object) -> int:
    if value is None or value == "":
        return 0
    read = amount(value)
    if read != int(read) or read < 0:
        raise Unreadable(f"{value!r} is no count")
    return int(read)


def flag(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def one_of(words: Callable[[Any], Read], value: object) -> Read:
    try:
        return words(value.strip().upper() if isinstance(value, str) else value)
    except ValueError as error:
        raise Unreadable(str(error)) from None


def listed(data: Any, name: str) -> list[Any]:
    found = mapping(data).get(name)
    if not isinstance(found, list):
        raise Unreadable(f"there is no list {name}")
    return found


def mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{str(value)[:100]!r} is no object")
    return value


def text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise Unreadable(f"{name} is missing")
    return clean(str(value))


def optional(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value is None or value == "" else clean(str(value))


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
