"""Latencies as a few figures."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec


class Latency(msgspec.Struct, frozen=True):
    """Milliseconds."""

    p50_ms: float
    p90_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    mean_ms: float


def percentile(ascending: Sequence[int], share: float) -> int:
    """The nearest rank: the smallest value that ``share`` of all values (0 < share <= 1) do not
    exceed. No interpolation: what is answered was measured. Raises ``ValueError`` without values.
    """
    if not ascending:
        raise ValueError("there are no values")
    # Without the rounding 0.999 * 1000 would be a hair above 999, and the rank one too high.
    rank = math.ceil(round(share * len(ascending), 6))
    return ascending[max(1, rank) - 1]


def latency_of(values_us: Sequence[int]) -> Latency:
    """Figures of latencies in microseconds, in any order. Raises ``ValueError`` without any."""
    ascending = sorted(values_us)
    return Latency(
        p50_ms=percentile(ascending, 0.5) / 1000,
        p90_ms=percentile(ascending, 0.9) / 1000,
        p99_ms=percentile(ascending, 0.99) / 1000,
        p999_ms=percentile(ascending, 0.999) / 1000,
        max_ms=ascending[-1] / 1000,
        mean_ms=sum(ascending) / len(ascending) / 1000,
    )
