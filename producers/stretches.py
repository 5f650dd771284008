"""Stretches of the outcome log on their way to subscribers, and how far each has come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from ledger.events import types_of
from ledger.outcomes import Outcome


class Mark(NamedTuple):
    """An outcome that was not read yet, and what may be told of it."""

    number: int
    command_id: UUID
    types: frozenset[str]


class Rest(NamedTuple):
    """An outcome that is told in part."""

    outcome: Outcome
    begun: int
    """How many of its events were told."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of a partition's outcomes, in order and behind the cursor."""

    partition: int
    marks: Sequence[Mark] = ()
    rest: Rest | None = None
    """Stands alone: what comes behind it is another stretch."""


@dataclass(slots=True)
class Told:
    """How much of a stretch the broker has confirmed."""

    partition: int
    number: int | None = None
    """Of the last outcome of which there is nothing left to tell."""
    rest: Rest | None = None
    cut: bool = False
    """Whether it ended before its end."""
    error: Exception | None = None
    """Why, where the broker refused."""


def marks_of(rows: Sequence[Any]) -> list[Mark]:
    """Events are numbered without gaps: the next outcome's first tells how many there are."""
    following: int | None = None
    marks: list[Mark] = []
    for row in reversed(rows):
        types: frozenset[str] = frozenset()
        first = row["first_event"]
        if first is not None:
            types = types_of(row["kind"], None if following is None else following - first)
            following = first
        marks.append(Mark(row["number"], row["command_id"], types))
    marks.reverse()
    return marks
