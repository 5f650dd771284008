"""However banks and files play with their rows, no deposit is new twice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import count
from uuid import UUID

import hypothesis
from hypothesis import strategies

from bank.lines import API, Known, Line
from bank.statement import Changes, Remade, compare
from tests.unit.test_statement import DAY, fetched, line


@hypothesis.given(strategies.data())
def test_however_the_bank_plays_no_deposit_is_new_twice(data: strategies.DataObject) -> None:
    """Deposits come, are renumbered, vanish and come back; what was ever new is never more than
    what came in."""
    orders = count(1)
    shown: list[Line] = []
    hidden: list[Line] = []
    stored = _Stored()
    came = booked = 0
    for _ in range(data.draw(strategies.integers(1, 6))):
        for _ in range(data.draw(strategies.integers(0, 3))):
            cents = data.draw(strategies.sampled_from((10, 20)))
            shown.append(line(next(orders), cents, posting_date=DAY + timedelta(days=came % 2)))
            came += 1
        for place in data.draw(strategies.sets(strategies.integers(0, 9))):
            if place < len(shown):
                _play(data, shown, hidden, place, next(orders))
        comes_back = data.draw(strategies.booleans())
        if hidden and comes_back:
            shown.append(hidden.pop())
        changes = compare(stored.rows, fetched(*data.draw(strategies.permutations(shown))))
        _every_shownand_row_is_in_one_place(stored.rows, shown, changes)
        booked += len(changes.new)
        stored.take(changes)
        assert booked <= came


class _Stored:
    """The rows, as they are kept from one look to the next; nobody resolves anything."""

    def __init__(self) -> None:
        self.rows: list[Known] = []
        self._held_for: dict[UUID, UUID] = {}

    def take(self, changes: Changes) -> None:
        at = {pair.known.row_id: pair.line for pair in changes.same}
        gone = {each.row_id for each in changes.vanished}
        rows = [
            replace(each, line=at.get(each.row_id, each.line), vanished=each.row_id in gone)
            for each in self.rows
        ]
        for shown, of in (*(Remade(each, None) for each in changes.new), *changes.held):
            added = Known(UUID(int=len(rows)), shown, API)
            rows.append(added)
            if of is not None and of.line.amount_minor == shown.amount_minor:
                self._held_for[added.row_id] = of.row_id
        waits = frozenset({API})
        suspected = {of for held, of in self._held_for.items() if held not in gone}
        self.rows = [
            replace(each, suspected_in=waits if each.row_id in suspected else frozenset())
            for each in rows
        ]


def _play(
    data: strategies.DataObject, shown: list[Line], hidden: list[Line], place: int, order: int
) -> None:
    match data.draw(strategies.sampled_from(("renumber", "hide", "reword"))):
        case "renumber":
            shown[place] = replace(shown[place], posted_order=order)
        case "hide":
            hidden.append(shown.pop(place))
        case _:
            shown[place] = replace(shown[place], description="other")


def _every_shownand_row_is_in_one_place(
    stored: Sequence[Known], shown: Sequence[Line], changes: Changes
) -> None:
    lines = len(changes.same) + len(changes.new) + len(changes.held)
    rows = len(changes.same) + len(changes.vanished) + len(changes.unseen)
    assert (lines, rows) == (len(shown), len(stored))
