"""A file makes room as soon as somebody else is there."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID

from ledger.outcomes import Outcome
from ledger.rejections import TOO_LATE
from producers.bulk.pace import LARGE, SMALL, Pace


def outcome(number: int, partition: int = 0) -> Outcome:
    return Outcome(UUID(int=number), partition, number, datetime.now(UTC), TOO_LATE, "")


def test_a_gap_between_our_outcomes_tells_of_others() -> None:
    now_s = 0.0
    pace = Pace(lambda: now_s)
    now_s = 0.6
    assert pace.lines == SMALL  # until it is known that nobody is there
    now_s = 0.7
    pace.heard([outcome(5), outcome(1, partition=1)])
    before, held_back_s = pace.lines, pace.pause_s
    now_s = 0.95
    assert before < pace.lines < LARGE
    assert held_back_s > pace.pause_s > 0
    now_s = 1.3
    pace.heard([outcome(6), outcome(7), outcome(2, partition=1)])
    assert (pace.lines, pace.pause_s) == (LARGE, 0.0)
    pace.heard([outcome(9)])
    assert pace.lines == SMALL
    assert pace.pause_s > 0
    now_s = 1.9
    pace.heard([outcome(8)])  # late, and nothing new
    assert pace.lines == LARGE


def test_what_was_known_before_a_rest_is_not_known_any_more() -> None:
    now_s = 0.0
    pace = Pace(lambda: now_s)
    pace.heard([outcome(1)])
    now_s = 0.6
    pace.heard([outcome(2)])
    assert pace.lines == LARGE
    now_s = 5.0
    assert pace.lines == SMALL
    pace.heard([outcome(3)])
    assert pace.lines == SMALL
    now_s = 5.6
    pace.heard([outcome(4)])
    assert pace.lines == LARGE
