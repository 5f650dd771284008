"""Which new lines may be rows that are known, under another guise. Pure.

A row is one row, so it may be one line: of an amount as many lines are held back as there are rows
that they may be, and the others are deposits of their own. Which of equal lines those are nobody
can say; the likest are held, by the payment reference in them and then by their days.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final, NamedTuple

from bank.lines import Known, Line, lasting
from bank.matching import references

#: So far apart two sources may say that the same row was posted.
APART: Final = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Suspects:
    """Rows that were paired with no line, and for which no line is held back yet."""

    vanished: Sequence[Known] = ()
    """Each may be any line of its amount."""
    twins: Sequence[Known] = ()
    """Of days that were not looked at: each may be a line that says all the same."""
    strangers: Sequence[Known] = ()
    """Of other sources: each may be a line of its amount whose day is not far."""


def amount_of(line: Line) -> Hashable:
    """What a row and a line have in common at the least."""
    return (line.credit, line.amount_minor)


def explained(lines: Sequence[Line], suspects: Suspects) -> Mapping[int, Known]:
    """The row that a line may be, by the line's number. Each row is there once, and no line is left
    out that a row could be which is left over."""
    suspected = _by_amount(suspects)
    numbers: dict[Hashable, list[int]] = defaultdict(list)
    for number, line in enumerate(lines):
        if amount_of(line) in suspected:
            numbers[amount_of(line)].append(number)
    found: dict[int, Known] = {}
    for amount, some in numbers.items():
        found |= _most(lines, some, suspected[amount])
    return found


def _by_amount(suspects: Suspects) -> Mapping[Hashable, Suspects]:
    found: dict[Hashable, tuple[list[Known], ...]] = defaultdict(lambda: ([], [], []))
    for kind, rows in enumerate((suspects.vanished, suspects.twins, suspects.strangers)):
        for row in rows:
            found[amount_of(row.line)][kind].append(row)
    return {amount: Suspects(*kinds) for amount, kinds in found.items()}


class _Way(NamedTuple):
    """How rows of a kind are held against lines."""

    rows: Sequence[Known]
    key: Callable[[Line], Hashable]
    """What both have in common."""
    choose: Callable[[Sequence[date], date], int | None]
    """Which line, by the days of those that are left and the row's own."""


def _most(lines: Sequence[Line], numbers: Sequence[int], suspects: Suspects) -> dict[int, Known]:
    """The surest first; but where that leaves a line over that could be held, the rows that could
    be few lines go before those that could be many."""
    vanished, twins, strangers = suspects.vanished, suspects.twins, suspects.strangers
    surest = _in_turn(
        *(lines, numbers),
        _Way(vanished, _named, _nearest),
        _Way(strangers, _named, _near),
        _Way(vanished, amount_of, _nearest),
        _Way(twins, lasting, _nearest),
        _Way(strangers, amount_of, _near),
    )
    widest = _in_turn(
        *(lines, numbers),
        _Way(twins, lasting, _nearest),
        _Way(strangers, amount_of, _earliest),
        _Way(vanished, amount_of, _nearest),
    )
    return max(surest, widest, key=len)


def _in_turn(lines: Sequence[Line], numbers: Sequence[int], *ways: _Way) -> dict[int, Known]:
    found: dict[int, Known] = {}
    for way in ways:
        used = {row.row_id for row in found.values()}
        rows = [row for row in way.rows if row.row_id not in used]
        left = [number for number in numbers if number not in found]
        found |= _taken(lines, left, way._replace(rows=rows))
    return found


def _taken(lines: Sequence[Line], numbers: Sequence[int], way: _Way) -> dict[int, Known]:
    """Each row takes a line of those that are left, in the order of their days."""
    waiting: dict[Hashable, tuple[list[date], list[int]]] = defaultdict(lambda: ([], []))
    if way.rows:
        for number in sorted(numbers, key=lambda number: lines[number].posting_date):
            days, left = waiting[way.key(lines[number])]
            days.append(lines[number].posting_date)
            left.append(number)
    found: dict[int, Known] = {}
    for row in sorted(way.rows, key=lambda row: row.line.posting_date):
        days, left = waiting.get(way.key(row.line), ([], []))
        place = way.choose(days, row.line.posting_date)
        if place is not None:
            days.pop(place)
            found[left.pop(place)] = row
    return found


def _named(line: Line) -> Hashable:
    """The payment references in it; without any it is like no other."""
    named = frozenset(references(line.description))
    return (amount_of(line), named) if named else object()


def _nearest(days: Sequence[date], day: date) -> int | None:
    after = bisect_left(days, day)
    near = [place for place in (after - 1, after) if 0 <= place < len(days)]
    return min(near, key=lambda place: abs(days[place] - day), default=None)


def _near(days: Sequence[date], day: date) -> int | None:
    place = _nearest(days, day)
    return None if place is None or abs(days[place] - day) > APART else place


def _earliest(days: Sequence[date], day: date) -> int | None:
    """Of those that are not far. Taken row by row so, as many are taken as can be."""
    place = bisect_left(days, day - APART)
    return place if place < len(days) and days[place] - day <= APART else None
