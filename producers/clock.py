"""The database's clock, as a process without a write connection can know it.

Deadlines and issue times are absolute database time. A sample is the database's clock between two
readings of our monotonic one, so now lies between two bounds: an issue time takes the earlier (it
must never be later than the truth), everything else may take either.

Decisions have a time of their own, which never goes back. Where the clock was put back, deadlines
are counted from the latest decision: counted from the clock they would all have passed already.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import asyncpg
import structlog

from ledger import reads
from ledger.database import UNREACHABLE, Queries
from topology.deadlines import CLOCK_STALE_S
from topology.errors import Unavailable

_SAMPLE_EVERY_S: Final = 1.0
_SAMPLE_TIMEOUT_S: Final = 2.0
#: After this a reading is replaced by any newer one. The exactest of all would be kept until it is
#: stale, while the way to the database has become longer for good.
_REPLACED_AFTER_S: Final = 5.0
#: Two clocks may run apart by this much: far more than crystals do, far less than a deadline.
_DRIFT: Final = 200e-6

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Sample:
    database: datetime
    sent_s: float
    received_s: float

    def earliest(self, monotonic_s: float) -> datetime:
        elapsed = monotonic_s - self.received_s
        return self.database + timedelta(seconds=elapsed * (1 - _DRIFT))

    def width_s(self, monotonic_s: float) -> float:
        """How far apart the two bounds are by now."""
        return (self.received_s - self.sent_s) + 2 * _DRIFT * (monotonic_s - self.received_s)


class DatabaseClock:
    """Follows the clock of one database by sampling it every second."""

    def __init__(self, queries: Queries, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._queries = queries
        self._monotonic = monotonic
        self._sample: _Sample | None = None
        self._ahead = timedelta(0)
        self.problem = "has not answered yet"
        """What kept the database from taking commands when it was last asked; empty where nothing
        did."""

    @property
    def known(self) -> bool:
        return self._fresh() is not None

    def now(self) -> datetime:
        """Database time, at most a round trip early and never late. Raises ``Unavailable``."""
        sample = self._fresh()
        if sample is None:
            raise Unavailable("the database's clock is unknown: it has not answered for a while")
        return sample.earliest(self._monotonic())

    def decision_time(self) -> datetime:
        """About the time at which a command would be decided now: a deadline has to be later.
        Raises ``Unavailable``."""
        return self.now() + self._ahead

    async def run(self) -> None:
        """Sample until cancelled; an unreachable database only makes the clock unknown."""
        while True:
            try:
                await self._sample_in_time()
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                self.problem = "does not answer"
                _log.debug("clock.sample_failed", error=repr(error))
            await asyncio.sleep(_SAMPLE_EVERY_S)

    async def _sample_in_time(self) -> None:
        """A reading that came late may have been read late: where this process got no processor for
        a while, the database has answered long ago. So only the second one in a row is believed."""
        try:
            await self.sample()
        except TimeoutError:
            await self.sample()

    async def sample(self) -> None:
        """Read the clock once and keep the reading where it is the more exact one."""
        async with asyncio.timeout(_SAMPLE_TIMEOUT_S):
            sent_s = self._monotonic()
            database = await reads.times(self._queries)
            received_s = self._monotonic()
        # A standby can be read, but whatever is sent to be applied would only wait, and expire.
        self.problem = "is a standby" if database.is_standby else ""
        self._ahead = max(timedelta(0), database.decided_at - database.now)
        sample = _Sample(database.now, sent_s, received_s)
        if self._sample is None or self._is_better(sample, self._sample):
            self._sample = sample

    def _is_better(self, sample: _Sample, known: _Sample) -> bool:
        now_s = sample.received_s
        return (
            not self._agree(known, sample)
            or sample.width_s(now_s) < known.width_s(now_s)
            or now_s - known.received_s > _REPLACED_AFTER_S
        )

    def _agree(self, known: _Sample, new: _Sample) -> bool:
        """Whether the new reading can be of the same clock: a jump must be followed at once."""
        earliest = known.earliest(new.sent_s)
        latest = known.earliest(new.received_s) + timedelta(seconds=known.width_s(new.received_s))
        return earliest <= new.database <= latest

    def _fresh(self) -> _Sample | None:
        sample = self._sample
        if sample is None or self._monotonic() - sample.received_s > CLOCK_STALE_S:
            return None
        return sample
