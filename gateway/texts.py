"""Text as callers send it."""

from __future__ import annotations

import re
from typing import Final

_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def escape(member: str) -> str:
    """A member's name as a step of a JSON Pointer (RFC 6901)."""
    return member.replace("~", "~0").replace("/", "~1")


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can hold the text: no NUL, no half of a surrogate pair."""
    return "\0" not in text and not _SURROGATE.search(text)
