"""Statements that are fetched again and again from a bank that changes its mind."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from uuid import UUID

import hypothesis
from hypothesis import strategies

from bank.investec.records import Direction, Row, RowStatus
from bank.statement import Known, compare, content_of, gaps, key_of

DAY = date(2026, 11, 2)


def row(order: int, amount: str = "10", description: str = "rent", **more: object) -> Row:
    plain = Row(
        account_id="1",
        direction=Direction.CREDIT,
        status=RowStatus.POSTED,
        amount=Decimal(amount),
        description=description,
        transaction_type=None,
        posted_order=order,
        posting_date=DAY,
        value_date=DAY,
        transaction_date=DAY,
        running_balance=Decimal(amount) * order,
        uuid="",
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def known(*rows: Row) -> list[Known]:
    return [
        Known(UUID(int=n), key_of(each), content_of(each), each.running_balance)
        for n, each in enumerate(rows)
    ]


def test_the_first_time_everything_is_new() -> None:
    assert compare([], [row(1), row(2)]).new == [row(1), row(2)]


def test_the_second_time_nothing_is() -> None:
    changes = compare(known(row(1), row(2)), [row(2), row(1)])
    assert (len(changes.same), changes.new, changes.vanished) == (2, [], [])


def test_equal_rows_of_one_day_are_both_real() -> None:
    changes = compare(known(row(1)), [row(1), row(2)])
    assert changes.new == [row(2)]
    assert compare(known(row(1), row(2)), [row(1), row(2), row(3)]).new == [row(3)]


def test_rows_that_are_not_settled_wait() -> None:
    assert compare([], [row(0), row(1, status=RowStatus.PENDING)]).new == []


def test_another_number_is_the_same_row() -> None:
    moved = row(9, running_balance=row(1).running_balance)
    changes = compare(known(row(1), row(2)), [row(2), moved])
    assert [pair.row for pair in changes.moved] == [moved]
    assert (changes.new, changes.vanished) == ([], [])


def test_another_number_and_another_balance_are_the_same_row() -> None:
    changes = compare(known(row(1), row(2)), [row(2), row(9)])
    assert [pair.row for pair in changes.moved] == [row(9)]
    assert changes.new == []


def test_other_content_under_the_same_number_is_no_new_row() -> None:
    changes = compare(known(row(1)), [row(1, "99", "other")])
    assert [pair.row.amount for pair in changes.changed] == [Decimal(99)]
    assert changes.new == []


def test_a_row_that_vanishes_is_told() -> None:
    first, second = known(row(1), row(2))
    assert compare([first, second], [row(1)]).vanished == [second]


def test_a_row_that_comes_back_is_no_new_one() -> None:
    (gone,) = known(row(1))
    changes = compare([replace(gone, vanished=True)], [row(7)])
    assert [pair.known.row_id for pair in changes.moved] == [gone.row_id]
    assert changes.new == []


def test_a_remake_of_one_that_vanished_waits_for_a_person() -> None:
    """The number and the words have changed; only the amount is the same."""
    changes = compare(known(row(1)), [row(7, description="RENT MAY"), row(8, "11")])
    assert changes.held == [row(7, description="RENT MAY")]
    assert changes.new == [row(8, "11")]


def test_the_chain_of_balances() -> None:
    whole = [row(1), row(2), row(3)]
    assert gaps(whole) == []
    (gap,) = gaps([whole[0], whole[2]])
    assert (gap.before.posted_order, gap.after.posted_order, gap.difference) == (1, 3, Decimal(10))
    assert gaps([*whole, row(4, "5", direction=Direction.DEBIT, running_balance=Decimal(25))]) == []


@hypothesis.given(strategies.data())
def test_however_the_bank_plays_no_deposit_is_new_twice(data: strategies.DataObject) -> None:
    """Deposits come, are renumbered, vanish and come back; the sum of what was ever new is never
    more than what came in."""
    orders = count(1)
    shown: list[Row] = []
    hidden: list[Row] = []
    stored: list[Known] = []
    came = booked = 0
    for _ in range(data.draw(strategies.integers(1, 6))):
        for _ in range(data.draw(strategies.integers(0, 3))):
            amount = data.draw(strategies.sampled_from(("10", "20")))
            shown.append(row(next(orders), amount, posting_date=DAY + timedelta(days=came % 2)))
            came += 1
        for place in data.draw(strategies.sets(strategies.integers(0, 9))):
            if place >= len(shown):
                continue
            match data.draw(strategies.sampled_from(("renumber", "hide", "reword"))):
                case "renumber":
                    shown[place] = replace(shown[place], posted_order=next(orders))
                case "hide":
                    hidden.append(shown.pop(place))
                case _:
                    shown[place] = replace(shown[place], description="other")
        if hidden and data.draw(strategies.booleans()):
            shown.append(hidden.pop())
        changes = compare(stored, data.draw(strategies.permutations(shown)))
        booked += len(changes.new)
        pairs = {pair.known.row_id: pair.row for pair in (*changes.moved, *changes.changed)}
        stored = [
            replace(
                each, key=key_of(at), content=content_of(at), running_balance=at.running_balance
            )
            if (at := pairs.get(each.row_id))
            else each
            for each in stored
        ]
        stored += known_from(len(stored), changes.new)
        assert booked <= came
    assert len(stored) == booked


def known_from(first: int, rows: list[Row]) -> list[Known]:
    return [replace(each, row_id=UUID(int=first + n)) for n, each in enumerate(known(*rows))]
