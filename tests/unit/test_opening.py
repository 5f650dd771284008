"""What was held before the first row: whose word it is, and what changes it."""

from __future__ import annotations

from datetime import date, timedelta
from uuid import UUID

import pytest

from bank.opening import Kept, Opening, Told, opening, revised

DAY = date(2026, 11, 2)


def told(number: int, signed: int, running: int, untold: int = 0) -> Told:
    """The row of that number, a day after the one before it."""
    row_id, day = UUID(int=number), DAY + timedelta(days=number)
    return Told(row_id, day, number, signed, running, untold)


def word(*head: Told) -> tuple[int, int]:
    """Whose it is, and what it comes to."""
    found = opening(head)
    assert found is not None
    return found.row_id.int, found.minor


def test_no_row_says_nothing() -> None:
    assert opening([]) is None


def test_it_is_the_balance_before_the_first_row_that_tells_one() -> None:
    assert word(told(1, 10, 110)) == (1, 100)
    assert word(told(1, -10, 90)) == (1, 100)
    assert word(told(1, 10, 115, untold=5)) == (1, 100)


def test_a_row_that_is_gone_keeps_its_word_while_the_balances_count_it() -> None:
    gone = told(1, 10, 110)
    counted, recomputed = told(2, 7, 117), told(2, 7, 107)
    assert word(gone, counted) == (1, 100)
    assert word(gone, recomputed) == (2, 100)
    assert word(gone, told(2, 7, 120, untold=3)) == (1, 100)


def test_of_several_that_are_gone_the_first_that_is_counted_has_the_word() -> None:
    first, second, shown = told(1, 10, 110), told(2, 5, 115), told(3, 7, 122)
    assert word(first, second, shown) == (1, 100)
    of_another_account = told(1, 10, 999)
    assert word(of_another_account, second, shown) == (2, 110)
    assert word(first, told(2, 5, 999), told(3, 7, 117)) == (1, 100)
    assert word(of_another_account, told(2, 5, 1004), shown) == (3, 115)


def said(number: int, minor: int, untold: int = 0) -> Opening:
    return Opening(UUID(int=number), (DAY, number, UUID(int=number)), minor + untold, minor)


@pytest.mark.parametrize(
    ("kept", "was", "now", "disowned", "comes_to"),
    [
        (None, None, said(1, 100), False, Kept(100, UUID(int=1))),
        # The same word; and a row that tells none has come before it.
        (100, said(2, 100), said(2, 100), False, Kept(100, None)),
        (100, said(2, 100), said(2, 70, untold=30), False, Kept(70, None)),
        # A row that stands before it, whatever it says: where they do not meet is a hole.
        (100, said(2, 100), said(1, 40), False, Kept(40, UUID(int=1))),
        # It is gone, or behind others now: they say the same, or something else.
        (100, said(2, 100), said(3, 100), False, Kept(100, None)),
        (100, said(2, 100), said(3, 40), False, None),
        # It says another balance itself.
        (100, said(2, 100), said(2, 40), False, None),
        (40, said(2, 100), said(2, 40), False, Kept(40, None)),
        # People have said that it is none.
        (100, said(2, 100), said(3, 40), True, Kept(40, UUID(int=3))),
    ],
)
def test_what_changes_it(
    kept: int | None, was: Opening | None, now: Opening, disowned: bool, comes_to: Kept | None
) -> None:
    assert revised(kept, was, now, is_disowned=disowned) == comes_to
