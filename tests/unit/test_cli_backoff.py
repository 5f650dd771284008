"""How long to wait before starting something again."""

from __future__ import annotations

from cli.supervision.backoff import Backoff


def test_the_first_restart_is_well_within_a_second_and_none_waits_longer_than_thirty() -> None:
    backoff = Backoff()
    waits = [backoff.after(up_s=0.0) for _ in range(12)]
    assert waits[:4] == [0.2, 0.4, 0.8, 1.6]
    assert waits[-1] == 30.0
    assert waits == sorted(waits)


def test_after_being_up_for_a_while_it_starts_over() -> None:
    backoff = Backoff()
    for _ in range(12):
        backoff.after(up_s=0.0)
    assert backoff.after(up_s=5.0) == 0.2
    assert backoff.after(up_s=4.9) == 0.4
