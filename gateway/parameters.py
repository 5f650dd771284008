"""Query parameters: which there are, how they are read, how they are documented."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from gateway.problems import Refusal
from gateway.texts import is_storable
from gateway.times import InvalidTime, parse_query_time
from ledger.rejections import Code

LIMIT_DEFAULT: Final = 100
LIMIT_MOST: Final = 1000
_MOST_PARAMETERS: Final = 20
_INTEGER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One that a route knows; its schema is for the documentation."""

    name: str
    schema: Mapping[str, Any]
    description: str = ""
    required: bool = False
    example: str | None = None


LIMIT: Final = Parameter(
    "limit",
    {"type": "integer", "minimum": 1, "maximum": LIMIT_MOST, "default": LIMIT_DEFAULT},
    "How many at most.",
)
CURSOR: Final = Parameter(
    "cursor",
    {"type": "string"},
    "`nextCursor` of the page before; everything else as it was then.",
)


def invalid_parameter(name: str, detail: str) -> Refusal:
    return Refusal(
        Code.INVALID_REQUEST,
        f"{name} {detail}",
        errors=[{"detail": detail, "parameter": name}],
    )


class Query:
    """The query of one call. Every method raises ``Refusal`` for what it cannot read."""

    def __init__(self, raw: bytes, known: Collection[str]) -> None:
        self._values = _parse(raw, known) if raw else {}

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, shortest: int, longest: int) -> str | None:
        """The value, its length in characters."""
        value = self._values.get(name)
        if value is not None and not shortest <= len(value) <= longest:
            raise invalid_parameter(name, f"must have {shortest} to {longest} characters")
        return value

    def required_text(self, name: str, shortest: int, longest: int) -> str:
        value = self.text(name, shortest, longest)
        if value is None:
            raise invalid_parameter(name, "is required")
        return value

    def integer(self, name: str, least: int, most: int, default: int) -> int:
        value = self._values.get(name)
        if value is None:
            return default
        if not _INTEGER.fullmatch(value) or not least <= int(value) <= most:
            raise invalid_parameter(name, f"must be an integer from {least} to {most}")
        return int(value)

    def limit(self) -> int:
        return self.integer(LIMIT.name, 1, LIMIT_MOST, LIMIT_DEFAULT)

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        value = self._values.get(name, default)
        if value not in choices:
            raise invalid_parameter(name, f"must be one of {', '.join(choices)}")
        return value

    def moment(self, name: str) -> datetime | None:
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return parse_query_time(value)
        except InvalidTime as error:
            raise invalid_parameter(name, str(error)) from None


def _parse(raw: bytes, known: Collection[str]) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            raw.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MOST_PARAMETERS,
        )
    except ValueError:  # bytes that are no UTF-8 included
        raise Refusal(Code.INVALID_REQUEST, "the query of the URL cannot be read") from None
    values: dict[str, str] = {}
    for name, value in pairs:
        if name not in known:
            raise _unknown(name)
        if name in values:
            raise invalid_parameter(name, "is given twice")
        if not is_storable(value):
            raise invalid_parameter(name, "holds NUL")
        values[name] = value
    return values


def _unknown(name: str) -> Refusal:
    shown = name[:50].encode("ascii", "backslashreplace").decode()
    return invalid_parameter(shown, "is not a parameter of this call")
