"""Times as callers write them: RFC 3339 with a zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_RFC3339: Final = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)", re.ASCII
)
#: Far enough for anything, and years away from where offsets and margins would overflow.
_LATEST: Final = datetime(9000, 1, 1, tzinfo=UTC)


class InvalidTime(ValueError):
    """Not a time; the text says what one looks like."""


def parse_time(text: str) -> datetime:
    """The moment in UTC, to the microsecond. Raises ``InvalidTime``."""
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise InvalidTime("must look like 2026-03-24T10:00:00.000Z or 2026-03-24T12:00:00+02:00")
    date, clock, fraction, zone = match.groups()
    offset = "+00:00" if zone in "Zz" else zone
    microseconds = (fraction or "")[:6].ljust(6, "0")
    try:
        moment = datetime.fromisoformat(f"{date}T{clock}.{microseconds}{offset}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidTime("is not a day and time that exist") from None
    if moment >= _LATEST:
        raise InvalidTime("is further away than the year 9000")
    return moment


def parse_query_time(text: str) -> datetime:
    """The same, where a ``+`` that was not escaped has become a space."""
    return parse_time(re.sub(r" (?=\d\d:\d\d$)", "+", text))
