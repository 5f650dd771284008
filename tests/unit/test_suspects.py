"""Lines that may be rows which are known: how many of them wait, and which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from hypothesis import strategies

from bank.lines import API, Fetched, Known, Line
from bank.statement import compare
from bank.suspects import APART, Suspects, amount_of, explained
from ledger.references import new_reference

DAY = date(2026, 11, 2)


def line(days: int = 0, cents: int = 10, description: str = "rent", **more: Any) -> Line:
    """Of a file: without number and balance."""
    plain = Line(DAY + timedelta(days=days), None, True, cents, description)
    return replace(plain, **more)


def rows(*lines: Line, source: str = API, first: int = 0) -> list[Known]:
    return [Known(UUID(int=first + n), each, source) for n, each in enumerate(lines)]


def held(lines: Sequence[Line], suspects: Suspects) -> dict[int, int]:
    """By the lines' numbers those of the rows."""
    return {number: row.row_id.int for number, row in explained(lines, suspects).items()}


def test_a_row_of_another_source_holds_one_line() -> None:
    lines = [line(1), line(1), line(2)]
    changes = compare(rows(line()), Fetched("CSV", DAY, DAY + APART, lines, (), whole=False))
    assert [each.line for each in changes.held] == [lines[0]]
    assert changes.new == lines[1:]


@pytest.mark.parametrize("number", range(4))
def test_as_many_lines_wait_as_rows_have_vanished(number: int) -> None:
    gone = rows(*(line(description=f"gone {n}") for n in range(number)), source="CSV")
    remade = [line(description=f"remade {n}") for n in range(3)]
    week = timedelta(days=7)
    changes = compare(gone, Fetched("CSV", DAY - week, DAY + week, remade))
    assert (changes.vanished, len(changes.held)) == (gone, number)
    assert {each.of.row_id for each in changes.held if each.of} == {each.row_id for each in gone}
    assert len(changes.new) == 3 - number


def test_a_row_for_which_a_line_waits_holds_no_other_line_of_that_source() -> None:
    (told,) = rows(line())
    waited_for = replace(told, suspected_in=frozenset({"CSV"}))
    for source, waits in (("CSV", False), ("OFX", True)):
        changes = compare([waited_for], Fetched(source, DAY, DAY + APART, [line(1)], (), False))
        assert [each.of for each in changes.held] == ([waited_for] if waits else [])
        assert len(changes.new) == (not waits)


def test_another_amount_in_its_place_uses_no_row_up() -> None:
    gone = rows(line(posted_order=1, value_date=DAY))
    in_place, elsewhere = line(posted_order=1, cents=99), line(posted_order=7, description="other")
    changes = compare(gone, Fetched(API, DAY, DAY, [in_place, elsewhere]))
    assert [(each.line, each.of) for each in changes.held] == [
        (in_place, gone[0]),
        (elsewhere, gone[0]),
    ]


def test_the_nearest_day_waits() -> None:
    suspects = Suspects(strangers=rows(line()))
    assert held([line(3), line(1), line(2)], suspects) == {1: 0}
    assert held([line(-4), line(4)], suspects) == {}
    assert held([line(-9), line(4)], Suspects(vanished=rows(line()))) == {1: 0}


def test_the_line_with_the_same_payment_reference_waits() -> None:
    alice, bob = new_reference(), new_reference()
    lines = [line(1, description=f"from bob {bob}"), line(3, description=f"ALICE {alice.lower()}")]
    told = rows(line(description=alice))
    assert held(lines, Suspects(strangers=told)) == {1: 0}
    assert held(lines, Suspects(vanished=told)) == {1: 0}


def test_the_nearest_day_yields_where_more_lines_could_be_rows() -> None:
    suspects = Suspects(strangers=rows(line(3), line(6)))
    assert held([line(0), line(3)], suspects) == {0: 0, 1: 1}
    both = Suspects(vanished=rows(line(9)), strangers=rows(line(3), first=1))
    assert held([line(9), line(2)], both) == {0: 0, 1: 1}
    assert held([line(20), line(2)], both) == {0: 0, 1: 1}
    assert held([line(2)], both) == {0: 0}


def test_a_twin_may_be_a_line_that_says_all_the_same() -> None:
    twins = rows(line(-60, value_date=DAY))
    lines = [line(value_date=DAY, description="other"), line(value_date=DAY)]
    assert held(lines, Suspects(twins=twins)) == {1: 0}
    assert held([line()], Suspects(twins=rows(line(-60)))) == {}


few_lines = strategies.lists(
    strategies.builds(
        line,
        strategies.integers(0, 9),
        strategies.sampled_from((10, 20)),
        strategies.sampled_from(("rent", "may")),
        value_date=strategies.sampled_from((None, DAY)),
    ),
    max_size=6,
)


@hypothesis.given(few_lines, few_lines, few_lines, few_lines)
def test_no_row_is_two_lines_and_none_is_left_over_that_could_be_one(
    lines: list[Line], vanished: list[Line], twins: list[Line], strangers: list[Line]
) -> None:
    suspects = Suspects(
        rows(*vanished), rows(*twins, first=100), rows(*strangers, source="CSV", first=200)
    )
    found = explained(lines, suspects)
    everybody = list(chain(suspects.vanished, suspects.twins, suspects.strangers))
    assert len({row.row_id for row in found.values()}) == len(found)
    assert all(may_be(lines[number], row) for number, row in found.items())
    counts = Counter(amount_of(lines[number]) for number in found)
    assert counts <= Counter(amount_of(row.line) for row in everybody)
    used = {row.row_id for row in found.values()}
    booked = [each for number, each in enumerate(lines) if number not in found]
    left = [row for row in everybody if row.row_id not in used]
    assert not [(each, row) for each in booked for row in left if may_be(each, row)]


@hypothesis.given(few_lines, few_lines, few_lines)
def test_as_many_lines_wait_as_could_be_rows_at_once(
    lines: list[Line], vanished: list[Line], strangers: list[Line]
) -> None:
    suspects = Suspects(rows(*vanished), (), rows(*strangers, source="CSV", first=200))
    everybody = [*suspects.vanished, *suspects.strangers]
    assert len(explained(lines, suspects)) == most_pairs(lines, everybody)


def may_be(new: Line, row: Known) -> bool:
    """By the number of the row, which says what it is."""
    if amount_of(new) != amount_of(row.line):
        return False
    if row.row_id.int >= 200:
        return abs(new.posting_date - row.line.posting_date) <= APART
    if row.row_id.int >= 100:
        return (
            new.value_date is not None
            and replace(new, posting_date=row.line.posting_date) == row.line
        )
    return True


def most_pairs(lines: Sequence[Line], everybody: Sequence[Known]) -> int:
    """The size of a largest matching, found by augmenting paths."""
    taken: dict[UUID, Line] = {}

    def place(new: Line, tried: set[UUID]) -> bool:
        for row in everybody:
            if row.row_id in tried or not may_be(new, row):
                continue
            tried.add(row.row_id)
            if row.row_id not in taken or place(taken[row.row_id], tried):
                taken[row.row_id] = new
                return True
        return False

    return sum(place(each, set()) for each in lines)
