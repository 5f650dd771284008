"""What an audit finds."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """What kind of wrong it is, the worst first."""

    LOST = "lost"
    """Acknowledged, and not in the books."""
    DOUBLED = "doubled"
    """In the books more often than it was asked for, or without having been asked for."""
    ANSWER = "wrong answer"
    """A caller was told something the books contradict."""
    BOOKS = "books"
    """The books contradict themselves."""


@dataclass(frozen=True, slots=True)
class Finding:
    wrong: Wrong
    rule: str
    detail: str
