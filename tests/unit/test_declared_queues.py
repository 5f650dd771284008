"""Every argument of every queue: what is not said, a broker of another version decides."""

from __future__ import annotations

import pytest

from topology.declare import command_queue_arguments, reconciliation_queue_arguments

ALIKE = {
    "x-queue-type": "quorum",
    "x-quorum-initial-group-size": 3,
    "x-queue-leader-locator": "balanced",
    "x-single-active-consumer": True,
    "x-overflow": "reject-publish",
}


@pytest.mark.parametrize(
    ("version", "limit"), [((3, 10, 8), {}), ((4, 1, 0), {"x-delivery-limit": -1})]
)
def test_queues_are_bounded_and_lose_nothing(
    version: tuple[int, ...], limit: dict[str, int]
) -> None:
    assert command_queue_arguments(version) == {
        **ALIKE,
        "x-max-length": 256,
        "x-max-length-bytes": 32 * 1024 * 1024,
        **limit,
    }
    assert reconciliation_queue_arguments(version) == {
        **ALIKE,
        "x-max-length": 1000,
        "x-max-length-bytes": 1024 * 1024,
        **limit,
    }
