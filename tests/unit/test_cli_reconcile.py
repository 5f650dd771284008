"""What `./sov reconcile` tells a script by its exit code."""

from __future__ import annotations

import pytest

from cli.reconcile import exit_code


@pytest.mark.parametrize(
    ("status", "agrees", "code"),
    [
        ("DONE", True, 0),
        ("DONE", False, 3),
        ("FAILED", None, 1),
        ("RECEIVING", None, 4),
        ("QUEUED", None, 4),
        ("RUNNING", None, 4),
    ],
)
def test_only_what_was_compared_agrees(status: str, agrees: bool | None, code: int) -> None:
    assert exit_code({"status": status, "agrees": agrees}) == code
