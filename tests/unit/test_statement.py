"""Statements that are fetched again and again from a bank that changes its mind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from bank.investec.records import Direction, Row, Rows, RowStatus
from bank.lines import API, Fetched, Known, Line, settled
from bank.statement import compare, gaps, held_for_balance

DAY = date(2026, 11, 2)
WEEK = (DAY - timedelta(days=7), DAY + timedelta(days=7))


def line(order: int | None, cents: int = 10, description: str = "rent", **more: Any) -> Line:
    plain = Line(DAY, order, True, cents, description, None, DAY, DAY, cents * (order or 0))
    return replace(plain, **more)


def known(*lines: Line, source: str = API) -> list[Known]:
    return [Known(UUID(int=n), each, source) for n, each in enumerate(lines)]


def fetched(*lines: Line, source: str = API, whole: bool = True) -> Fetched:
    return Fetched(source, *WEEK, lines, (), whole)


def test_the_first_time_everything_is_new() -> None:
    assert compare([], fetched(line(1), line(2))).new == [line(1), line(2)]


def test_the_second_time_nothing_is() -> None:
    changes = compare(known(line(1), line(2)), fetched(line(2), line(1)))
    assert (len(changes.same), changes.new, changes.vanished) == (2, [], [])


def test_equal_rows_of_one_day_are_both_real() -> None:
    assert compare(known(line(1)), fetched(line(1), line(2))).new == [line(2)]
    changes = compare(known(line(1), line(2)), fetched(line(1), line(2), line(3)))
    assert changes.new == [line(3)]


def test_another_number_is_the_same_row() -> None:
    moved = line(9, running_minor=line(1).running_minor)
    changes = compare(known(line(1), line(2)), fetched(line(2), moved))
    assert [pair.line for pair in changes.same if pair.has_moved] == [moved]
    assert (changes.new, changes.vanished) == ([], [])


def test_another_number_and_another_balance_are_the_same_row() -> None:
    changes = compare(known(line(1), line(2)), fetched(line(2), line(9)))
    assert [pair.line for pair in changes.same if pair.has_moved] == [line(9)]
    assert changes.new == []


def test_another_day_is_the_same_row() -> None:
    moved = line(9, posting_date=DAY + timedelta(days=1))
    changes = compare(known(line(1)), fetched(moved))
    assert [pair.line for pair in changes.same if pair.has_moved] == [moved]


def test_other_words_in_the_same_place_are_the_same_row() -> None:
    changes = compare(known(line(1)), fetched(line(1, description="other")))
    (pair,) = changes.same
    assert pair.reads_otherwise
    assert not pair.has_moved


def test_a_row_of_other_words_is_not_taken_for_its_twin() -> None:
    twin = line(2)
    changes = compare(known(line(1)), fetched(line(1, description="other"), twin))
    assert [pair.reads_otherwise for pair in changes.same] == [True]
    assert changes.new == [twin]


def test_another_amount_under_the_same_number_is_no_new_row() -> None:
    changes = compare(known(line(1)), fetched(line(1, 99)))
    assert [each.line.amount_minor for each in changes.held] == [99]
    assert [each.line.amount_minor for each in changes.vanished] == [10]
    assert (changes.new, changes.same) == ([], [])


def test_a_row_that_vanishes_is_told() -> None:
    first, second = known(line(1), line(2))
    assert compare([first, second], fetched(line(1))).vanished == [second]


def test_a_row_has_not_vanished_where_it_was_not_looked_for() -> None:
    early = line(1, transaction_date=WEEK[0] - timedelta(days=1))
    changes = compare(known(early, line(2)), fetched(line(2)))
    assert [each.line for each in changes.unseen] == [early]
    edge = line(3, posting_date=WEEK[1])
    assert compare(known(edge), fetched(whole=False)).vanished == []


def test_a_row_whose_place_is_another_ones_has_vanished() -> None:
    early = line(1, transaction_date=WEEK[0] - timedelta(days=1))
    other = line(1, 77)
    changes = compare(known(early), fetched(other))
    assert [each.line for each in changes.vanished] == [early]
    assert [each.line for each in changes.held] == [other]


def test_a_row_that_comes_back_is_no_new_one() -> None:
    (gone,) = known(line(1))
    changes = compare([replace(gone, vanished=True)], fetched(line(7)))
    assert [pair.known.row_id for pair in changes.same] == [gone.row_id]
    assert changes.new == []


def test_a_remake_of_one_that_vanished_waits_for_a_person() -> None:
    """The number and the words have changed; only the amount is the same."""
    remade = line(7, description="RENT MAY")
    changes = compare(known(line(1)), fetched(remade, line(8, 11)))
    assert [each.line for each in changes.held] == [remade]
    assert changes.new == [line(8, 11)]


def test_what_was_known_on_a_day_long_past_waits_for_a_person() -> None:
    old = known(line(1, posting_date=DAY - timedelta(days=60)))
    changes = compare([], fetched(line(7)), old)
    assert [each.line for each in changes.held] == [line(7)]
    other = line(8, transaction_date=DAY - timedelta(days=1))
    assert compare([], fetched(other), old).new == [other]


def test_what_the_balance_before_speaks_against_waits_for_a_person() -> None:
    """A row of a day long past stands here now, in other words: the balance before is its amount
    less than it was."""
    (before,) = known(line(9, posting_date=DAY - timedelta(days=30), running_minor=500))
    moved = line(20, 70, "other words", running_minor=500)
    other = line(21, 30, running_minor=530)
    changes = compare([], fetched(moved, other))
    held_for_balance(changes, before, [moved, other])
    assert [each.line for each in changes.held] == [moved]
    assert changes.new == [other]
    honest = compare([], fetched(line(20, 70, running_minor=570)))
    held_for_balance(honest, before, [line(20, 70, running_minor=570)])
    assert honest.held == []


def test_another_source_has_its_own_words_and_numbers() -> None:
    told = known(line(1, description="RENT, MRS NAIDOO, FLAT 4, MAY"), line(2))
    file = line(None, description="rent naidoo", value_date=None, transaction_date=None)
    changes = compare(told, fetched(file, file, file, source="CSV"))
    assert (len(changes.same), changes.new, changes.vanished) == (2, [file], [])


def test_the_same_deposit_a_week_later_is_another_one() -> None:
    """Its source says no other day than the one on which it was posted, and no balance."""
    bare: dict[str, Any] = {"value_date": None, "transaction_date": None, "running_minor": None}
    later = line(None, posting_date=DAY + timedelta(days=5), **bare)
    for order in (None, 1):
        known_before = known(line(order, **bare), source="CSV")
        changes = compare(known_before, fetched(later, source="CSV", whole=False))
        assert changes.same == []
    edge = known(line(None, posting_date=WEEK[0], **bare), source="CSV")
    changes = compare(edge, fetched(later, source="CSV", whole=False))
    assert (changes.new, changes.held, changes.vanished) == ([later], [], [])


def test_another_day_without_a_balance_waits_for_a_person() -> None:
    """What the two say of the payment's own day is the same: it may be one, and it may be two."""
    edge = line(1, posting_date=WEEK[0], running_minor=None)
    moved = line(2, running_minor=None)
    changes = compare(known(edge), fetched(moved, whole=False))
    assert (changes.same, changes.new) == ([], [])
    assert [each.line for each in changes.held] == [moved]


@pytest.mark.parametrize(("days", "waits"), [(-4, False), (-3, True), (1, True), (4, False)])
def test_another_source_may_say_another_day(days: int, waits: bool) -> None:
    told = known(line(1, posting_date=DAY + timedelta(days=days)))
    file = line(None, description="rent naidoo", value_date=None, transaction_date=None)
    for changes in (
        compare(told, replace(fetched(file, source="CSV", whole=False))),
        compare([], Fetched("CSV", DAY, DAY, [file]), near=told),
    ):
        assert [each.line for each in changes.held] == ([file] if waits else [])
        assert changes.new == ([] if waits else [file])
    mine = [replace(each, source="CSV") for each in told]
    assert compare([], Fetched("CSV", DAY, DAY, [file]), near=mine).new == [file]
    other = replace(file, amount_minor=11)
    assert compare([], Fetched("CSV", DAY, DAY, [other]), near=told).new == [other]


def test_a_file_does_not_bring_back_what_the_bank_shows_no_more() -> None:
    gone = [replace(each, vanished=True) for each in known(line(1))]
    changes = compare(gone, fetched(line(None, description="from a file"), source="CSV"))
    assert (changes.same, changes.new) == ([], [])
    assert len(changes.held) == 1


def test_rows_that_are_not_settled_wait() -> None:
    found = settled(
        Rows((row(0), row(1, status=RowStatus.PENDING), row(2), row(3, amount="0.001"), row(2))),
        *WEEK,
        2,
    )
    assert [each.posted_order for each in found.lines] == [2]
    assert [each.problem for each in found.unread] == [
        "its amount is none that can be moved",
        "its number is another row's too",
    ]


def test_a_day_that_is_long_to_come_is_none() -> None:
    """Of one that is near the bank may know best: its clock, or a simulator's, runs ahead."""
    last = WEEK[1]
    near, far = last + timedelta(days=300), date.max
    found = settled(Rows((row(1), row(2, day=near), row(3, day=far))), *WEEK, 2)
    assert [each.posted_order for each in found.lines] == [1, 2]
    assert [each.problem for each in found.unread] == ["it is posted on a day that is long to come"]


def row(
    order: int, amount: str = "10", status: RowStatus = RowStatus.POSTED, day: date = DAY
) -> Row:
    return Row(
        account_id="1",
        direction=Direction.CREDIT,
        status=status,
        amount=Decimal(amount),
        description="rent",
        transaction_type=None,
        posted_order=order,
        posting_date=day,
        value_date=DAY,
        transaction_date=DAY,
        running_balance=None,
        uuid="",
    )


def test_the_chain_of_balances() -> None:
    whole = known(line(1), line(2), line(3))
    assert gaps(whole) == []
    (gap,) = gaps([whole[0], whole[2]])
    assert (gap.before, gap.after) == (whole[0].row_id, whole[2].row_id)
    assert gap.difference_minor == 10
    spent = line(4, 5, credit=False, running_minor=25)
    assert gaps(known(line(1), line(2), line(3), spent)) == []


def retold(day: date) -> tuple[Known, Known, Line]:
    """A row of the API, the row by which people have found it again in a file, and that line."""
    of_file = line(None, description="rent naidoo", posting_date=day)
    of_api, remake = known(line(1), of_file)
    return (
        replace(of_api, retold_by=frozenset({"CSV"})),
        replace(remake, source="CSV", vanished=True, same_as=of_api.row_id),
        of_file,
    )


def test_a_line_that_people_have_said_is_another_row_is_known_again() -> None:
    of_api, remake, of_file = retold(DAY + timedelta(days=1))
    changes = compare([of_api, remake], fetched(replace(of_file), source="CSV"))
    assert [pair.known for pair in changes.same] == [remake]
    assert (changes.new, changes.held, changes.vanished) == ([], [], [])


def test_a_row_that_was_found_again_explains_no_second_line() -> None:
    of_api, remake, of_file = retold(DAY + timedelta(days=1))
    for other in (replace(of_file), line(None, description="on the row's own day")):
        changes = compare([of_api, remake], fetched(replace(of_file), other, source="CSV"))
        assert [pair.known for pair in changes.same] == [remake]
        assert (changes.new, changes.held) == ([other], [])


def test_a_row_that_is_not_found_where_people_found_it_may_stand_elsewhere() -> None:
    of_api, remake, _ = retold(DAY + timedelta(days=1))
    other = line(None, description="on the row's own day")
    changes = compare([of_api, remake], fetched(other, source="CSV"))
    assert [(each.line, each.of) for each in changes.held] == [(other, of_api)]
    assert (changes.same, changes.new, changes.vanished) == ([], [], [])


def test_the_row_itself_goes_on_beside_what_people_have_said_of_it() -> None:
    of_api, remake, _ = retold(DAY)
    changes = compare([of_api, remake], fetched(line(1), line(2)))
    assert [pair.known for pair in changes.same] == [of_api]
    assert (changes.new, changes.vanished, changes.unseen) == ([line(2)], [], [])
    assert compare([of_api, remake], fetched()).vanished == [of_api]
