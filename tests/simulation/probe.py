"""A steady small payment, by which to tell whether the service is there."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from tests.simulation.calls import Caller, Patience
from tests.simulation.history import Heard, Kind, Operation
from tests.simulation.settling import Settler

_EVERY_S: Final = 0.2
_PATIENCE: Final = Patience.of(5.0)
#: Back means: answered again, and without a longer gap than this for as long as ``_STEADY_S``.
_GAP_S: Final = 1.0
_STEADY_S: Final = 2.0


@dataclass(frozen=True, slots=True)
class Success:
    invoked_s: float
    ended_s: float


class Probe:
    """Pays from the bank to a wallet of its own five times a second, whether or not the payments
    before were answered."""

    def __init__(self, caller: Caller, settler: Settler, bank: str, wallet: str, run: str) -> None:
        self._caller, self._settler = caller, settler
        self._request = {"from": bank, "to": wallet, "amount": 1, "session": None}
        self._run = run
        self.successes: list[Success] = []
        """In the order in which they were answered."""

    async def run(self, stop: asyncio.Event) -> None:
        number = 0
        async with asyncio.TaskGroup() as payments:
            while not stop.is_set():
                number += 1
                payments.create_task(self._pay(f"p-{self._run}-{number}"))
                await asyncio.sleep(_EVERY_S)

    async def _pay(self, key: str) -> None:
        operation: Operation = await self._caller.call(
            "probe", Kind.TRANSFER, key=key, request=self._request, patience=_PATIENCE
        )
        if operation.heard is Heard.OK:
            self.successes.append(Success(operation.invoked_s, operation.ended_s))
        elif operation.heard is Heard.UNKNOWN:
            self._settler.settle(operation)

    def back_since(self, since_s: float) -> float | None:
        """When the service was back after ``since_s``, for good as far as can be told by now; None
        while it is not."""
        return back_since(self.successes, since_s, time.monotonic())


def back_since(successes: Sequence[Success], since_s: float, now_s: float) -> float | None:
    """The first answer to a payment that was made after ``since_s``, from which on answers came
    without a gap until now, for long enough."""
    ends = [each.ended_s for each in successes if each.invoked_s >= since_s]
    back_s = None
    later_s = now_s
    for end_s in reversed(ends):
        if later_s - end_s > _GAP_S:
            break
        back_s = later_s = end_s
    if back_s is None or now_s - back_s < _STEADY_S:
        return None
    return back_s


def longest_gap(successes: Sequence[Success], from_s: float, to_s: float) -> float:
    """The longest time without a successful answer that touches the stretch of time."""
    ends = [each.ended_s for each in successes]
    before = [end for end in ends if end <= from_s]
    behind = [end for end in ends if end >= to_s]
    within = [end for end in ends if from_s < end < to_s]
    points = [*(before[-1:] or [from_s]), *within, *(behind[:1] or [to_s])]
    return max((later - earlier for earlier, later in pairwise(points)), default=0.0)
