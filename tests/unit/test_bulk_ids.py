"""Command ids of a file's lines: the same whenever they are made, and recognised again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from ledger.deployment import Layout
from producers.bulk.ids import attempt_of, line_command_id

DEADLINE = datetime(2026, 3, 24, 10, tzinfo=UTC)


@pytest.mark.parametrize("attempt", [0, 1, 19])
@pytest.mark.parametrize(("layout", "partition"), [(Layout(1, 8), 0), (Layout(2, 3), 2)])
def test_a_line_knows_its_own_commands(attempt: int, layout: Layout, partition: int) -> None:
    made = line_command_id("payroll", 7, attempt, layout, partition, DEADLINE)
    assert made == line_command_id("payroll", 7, attempt, layout, partition, DEADLINE)
    assert attempt_of("payroll", 7, made, 20, DEADLINE) == attempt
    assert attempt_of("payroll", 7, made, attempt, DEADLINE) is None


@pytest.mark.parametrize(
    ("batch_id", "line", "deadline"),
    [
        ("payroll-2", 7, DEADLINE),
        ("payroll", 8, DEADLINE),
        # A file of the same id from before, forgotten since.
        ("payroll", 7, DEADLINE - timedelta(days=90)),
        ("payroll", 7, DEADLINE + timedelta(milliseconds=1)),
    ],
)
def test_what_another_line_sent_is_not_its_own(
    batch_id: str, line: int, deadline: datetime
) -> None:
    other = line_command_id(batch_id, line, 0, Layout(1, 8), 0, deadline)
    assert attempt_of("payroll", 7, other, 20, DEADLINE) is None
