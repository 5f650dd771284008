"""When a consumer takes turns with the others."""

from __future__ import annotations

from consumers.turns import Turns


def test_a_hundred_batches_take_turns_after_one_that_waited() -> None:
    turns = Turns()
    assert not turns.wanted()
    turns.heed(0.005, 10)
    assert [turns.wanted() for _ in range(100)] == [True] * 99 + [False]
    turns.heed(0.005, 1_000)  # so many locks take so long
    assert not turns.wanted()
    turns.heed(0.005, 10)
    turns.give_up()
    assert not turns.wanted()
