"""Knowing the database's time from readings that take a while."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from producers.clock import DatabaseClock
from tests.polling import until

START = datetime(2026, 1, 1, tzinfo=UTC)


class Database:
    """Answers with its time in the middle of the round trip; both clocks are turned by hand."""

    def __init__(self) -> None:
        self.monotonic_s = 1000.0
        self.put_back = timedelta(0)
        self.round_trip_s = 0.0005
        self.is_standby = False
        self.failures: list[Exception] = []
        self.asked = asyncio.Event()

    def monotonic(self) -> float:
        return self.monotonic_s

    @property
    def now(self) -> datetime:
        return START + timedelta(seconds=self.monotonic_s) - self.put_back

    async def fetchrow(self, query: str, *args: object) -> Any:
        self.asked.set()
        if self.failures:
            raise self.failures.pop(0)
        self.monotonic_s += self.round_trip_s / 2
        row = {
            "now": self.now,
            "decided_at": self.now + self.put_back,
            "is_standby": self.is_standby,
        }
        self.monotonic_s += self.round_trip_s / 2
        return row

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        raise NotImplementedError

    async def fetchval(self, query: str, *args: object) -> Any:
        raise NotImplementedError


async def test_it_stays_known_when_the_way_becomes_longer_for_good() -> None:
    database = Database()
    clock = DatabaseClock(database, database.monotonic)
    await clock.sample()
    database.round_trip_s = 0.1
    for _ in range(300):
        database.monotonic_s += 1
        await clock.sample()
        assert clock.known
        assert timedelta(0) <= database.now - clock.now() < timedelta(seconds=0.2)


async def test_deadlines_are_counted_from_the_latest_decision() -> None:
    database = Database()
    clock = DatabaseClock(database, database.monotonic)
    await clock.sample()
    assert clock.decision_time() == clock.now()
    database.put_back = timedelta(hours=1)
    await clock.sample()
    assert database.now - clock.now() < timedelta(seconds=1)
    assert clock.decision_time() - clock.now() == timedelta(hours=1)


async def test_a_standby_is_a_problem_until_it_is_promoted() -> None:
    database = Database()
    clock = DatabaseClock(database, database.monotonic)
    assert clock.problem
    database.is_standby = True
    await clock.sample()
    assert clock.problem == "is a standby"
    database.is_standby = False
    await clock.sample()
    assert not clock.problem


@asynccontextmanager
async def running(clock: DatabaseClock) -> AsyncIterator[None]:
    task = asyncio.ensure_future(clock.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_one_late_reading_does_not_make_the_database_unreachable() -> None:
    """It may be this process that got no processor: then the database has answered long ago."""
    database = Database()
    clock = DatabaseClock(database, database.monotonic)
    await clock.sample()
    database.failures = [TimeoutError()]
    database.asked.clear()
    async with running(clock):
        await until(database.asked.is_set)
        await until(lambda: not database.failures)
        assert not clock.problem


@pytest.mark.parametrize(
    "failures", [[TimeoutError(), TimeoutError()], [ConnectionRefusedError()]], ids=repr
)
async def test_a_database_that_does_not_answer_is_a_problem(failures: list[Exception]) -> None:
    database = Database()
    clock = DatabaseClock(database, database.monotonic)
    await clock.sample()
    database.failures = failures
    async with running(clock):
        assert await until(lambda: clock.problem) == "does not answer"
        await until(lambda: not clock.problem)
