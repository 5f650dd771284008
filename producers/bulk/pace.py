"""How many lines a message carries: many while a file has the partitions to itself, few beside
payments.

Outcomes are numbered without gaps per partition, so that a gap between the numbers of our own tells
that somebody else's commands were decided in between: a payment that would have waited behind ours.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from typing import Final

from ledger.outcomes import Outcome

#: Worth its transaction, and applied within a fraction of a second together with the others: one of
#: each of eight partitions fills a batch.
LARGE: Final = 250
#: Two of these per partition are applied within some ten milliseconds: what a payment may wait.
SMALL: Final = 20
#: While nobody else is seen messages grow, and have their full size after this.
_QUIET_S: Final = 0.5
#: What was seen longer ago than this says nothing of now.
_STALE_S: Final = 1.0
#: And so long a partition's next message is held back beside payments, ever less while nobody is
#: seen: a machine that is busy with a file to its last core answers nobody quickly.
_PAUSE_S: Final = 0.02


class Pace:
    """Shared by all files of a process: their lines are no strangers to each other."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._last: dict[int, int] = {}
        self._heard_s = -math.inf
        """When we heard of ourselves last; before that nothing is known."""
        self._alone_s = monotonic()
        """Since when of nobody else."""

    @property
    def lines(self) -> int:
        """How many lines the next message may carry."""
        return SMALL + round((LARGE - SMALL) * self._ease())

    @property
    def pause_s(self) -> float:
        """How long to wait before it is sent."""
        return _PAUSE_S * (1 - self._ease())

    def _ease(self) -> float:
        """From 0, beside payments or where nothing is known of them, to 1 after a quiet while."""
        now_s = self._monotonic()
        if now_s - self._heard_s >= _STALE_S:
            return 0.0
        return min(1.0, (now_s - self._alone_s) / _QUIET_S)

    def heard(self, outcomes: Iterable[Outcome]) -> None:
        """Outcomes of our own, as one reply brings them: each partition's in order."""
        now_s = self._monotonic()
        if now_s - self._heard_s > _STALE_S:
            self._alone_s = now_s
        self._heard_s = now_s
        for outcome in outcomes:
            last = self._last.get(outcome.partition)
            if last is not None and outcome.number > last + 1:
                self._alone_s = now_s
            if last is None or outcome.number > last:
                self._last[outcome.partition] = outcome.number
