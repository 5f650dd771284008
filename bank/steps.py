"""What a bank process does, as steps that are each run again and again: in time, or when woken."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

import structlog

from bank import metrics
from bank.failures import PASSING
from bank.investec.errors import BankError
from topology.process import run_all

_FIRST_RETRY_S: Final = 0.5
#: Where the step's own pause is not shorter: most look again after two seconds whatever happens.
_LONGEST_RETRY_S: Final = 30.0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Step:
    """``run`` works off what there is to do by now, and may be cancelled or repeated anywhere."""

    name: str
    every_s: float
    """At the latest, where nobody wakes it."""
    run: Callable[[], Awaitable[None]]


class Steps:
    """All of them side by side, each by itself one run after the other: a bank that takes a minute
    to answer keeps nobody's booking waiting."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._wanted = {step.name: asyncio.Event() for step in steps}
        self.problems: dict[str, str] = {}
        """What the last run of a step ended with, where it did not end well."""

    def wake(self, name: str) -> None:
        """Run the step soon. A name that nobody has wakes nobody."""
        if name in self._wanted:
            self._wanted[name].set()

    async def run(self) -> None:
        """Until cancelled. Raises what a step raises that does not pass by itself."""
        await run_all(*(self._repeat(step) for step in self._steps))

    async def _repeat(self, step: Step) -> None:
        wanted = self._wanted[step.name]
        retry_s = _FIRST_RETRY_S
        while True:
            wanted.clear()
            wait_s = step.every_s
            try:
                await step.run()
            except (*PASSING, BankError) as error:
                metrics.STEP_FAILURES.labels(step.name).inc()
                _log.warning("bank.step_failed", step=step.name, error=repr(error))
                self.problems[step.name] = f"{type(error).__name__}: {error}"
                wait_s, retry_s = min(retry_s, wait_s), min(retry_s * 2, _LONGEST_RETRY_S)
            else:
                self.problems.pop(step.name, None)
                retry_s = _FIRST_RETRY_S
            with suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await wanted.wait()
