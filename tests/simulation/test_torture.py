"""A short run of the torture: every kind of fault once, and nothing lost, doubled or told wrongly.

How fast the service comes back is reported by ``./sov torture``; here only that it does.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.simulation.faults import FAULTS
from tests.simulation.findings import Wrong
from tests.simulation.history import Heard
from tests.simulation.probe import Success, back_since, longest_gap
from tests.simulation.torture import torture

_SEED = 20_260_301


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


async def test_a_system_under_faults_loses_nothing_and_comes_back(tmp_path: Path) -> None:
    report = await torture(0.0, _SEED, tmp_path, _say)
    for line in report.lines():
        _say(line)
    assert {wrong: report.count(wrong) for wrong in Wrong} == dict.fromkeys(Wrong, 0)
    assert report.broken_rules == []
    assert report.never_settled == 0
    assert {name for struck in report.struck for name in struck.faults} == set(FAULTS)
    assert all(struck.back_s is not None for struck in report.struck)
    # The faults were felt: some calls had no final answer, and all of them were settled.
    heard = {operation.heard for operation in report.history.operations}
    assert heard == set(Heard)
    assert report.holds
    assert report.as_json()["holds"] is True


def steadily(from_s: float, to_s: float) -> list[Success]:
    """An answer every 0.2 s, each to a payment of a moment before."""
    count = round((to_s - from_s) / 0.2)
    return [Success(from_s + n * 0.2 - 0.01, from_s + n * 0.2) for n in range(count + 1)]


@pytest.mark.parametrize(
    ("answers", "now_s", "back_s"),
    [
        (steadily(0, 10), 10.0, 5.2),  # nothing was felt
        (steadily(0, 5) + steadily(8, 12), 12.0, 8.0),
        (steadily(0, 5) + steadily(8, 9), 9.0, None),  # not for long enough yet
        (steadily(0, 5) + steadily(6, 6.4) + steadily(8, 12), 12.0, 8.0),  # back and gone again
        (steadily(0, 8), 12.0, None),  # it was there and went away
        ([], 12.0, None),
    ],
)
def test_back_means_for_good(answers: list[Success], now_s: float, back_s: float | None) -> None:
    found = back_since(answers, 5.0, now_s)
    assert (found is None) == (back_s is None)
    if back_s is not None:
        assert found == pytest.approx(back_s)


@pytest.mark.parametrize(
    ("from_s", "to_s", "gap_s"),
    [(0.0, 5.0, 0.2), (4.0, 9.0, 3.0), (6.0, 7.0, 3.0), (4.0, 7.0, 3.0), (9.0, 15.0, 5.0)],
)
def test_a_gap_is_seen_whole_where_the_stretch_ends_in_it(
    from_s: float, to_s: float, gap_s: float
) -> None:
    answers = steadily(0, 5) + steadily(8, 10)
    assert longest_gap(answers, from_s, to_s) == pytest.approx(gap_s)
