"""Files that are posted whole or not at all, while what they need is killed at every moment."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.databases import Database
from tests.faults.consumer_process import ALL, ConsumerProcess, consumer_process, epochs, taken_over
from tests.faults.test_consumer_killed import MOMENTS, trap_at
from tests.faults.whole_files import (
    POOR,
    RICH,
    BulkProcess,
    assert_ended,
    bulk_process,
    fund,
    hand_in,
    in_books,
)
from tests.integration.bulk_jobs import Jobs, bulk_running, jobs
from tests.integration.processes import Broker, consuming
from tests.polling import until
from tests.proxy import BASIC_ACK, BASIC_DELIVER, BASIC_PUBLISH, COMMIT, Then, Trap, Way


@pytest.fixture
async def job(database: Database, broker: Broker) -> AsyncIterator[Jobs]:
    """Wallets with money, and a gateway; consumers and bulk processes are each test's own."""
    async with jobs(database, broker, consumed=False) as found:
        async with consuming(database, broker):
            await fund(found)
        yield found


@asynccontextmanager
async def doomed_consumer(database: Database, broker: Broker) -> AsyncIterator[ConsumerProcess]:
    since = await epochs(database)
    async with consumer_process(database, broker) as process:
        await taken_over(database, since, ALL)
        yield process


@pytest.mark.parametrize("moment", MOMENTS)
async def test_the_consumer_is_killed(
    database: Database, broker: Broker, job: Jobs, moment: str
) -> None:
    async with doomed_consumer(database, broker) as first, bulk_running(database, broker):
        trap = trap_at(first.to_books, first.to_broker, moment)
        await hand_in(job, RICH, POOR)
        await until(trap.sprung.is_set)
        await first.kill()
        async with consuming(database, broker):
            await assert_ended(job, database, RICH, POOR)


def bulk_trap(doomed: BulkProcess, moment: str) -> Trap:
    match moment:
        case "before its command":
            return doomed.to_broker.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
        case "command unconfirmed":
            return doomed.to_broker.trap(Way.TO_CLIENT, BASIC_ACK, Then.HOLD)
        case "reply unheard":
            return doomed.to_broker.trap(Way.TO_CLIENT, BASIC_DELIVER, Then.HOLD)
        case _:
            return doomed.to_books.trap(Way.TO_SERVER, b"SET results = $4", Then.HOLD)


@pytest.mark.parametrize(
    "moment", ["before its command", "command unconfirmed", "reply unheard", "before its results"]
)
async def test_the_bulk_process_is_killed(
    database: Database, broker: Broker, job: Jobs, tmp_path: Path, moment: str
) -> None:
    async with consuming(database, broker):
        async with bulk_process(database, broker.url, tmp_path) as doomed:
            trap = bulk_trap(doomed, moment)
            await hand_in(job, RICH, POOR)
            await until(trap.sprung.is_set, within_s=30)
            await doomed.kill()
        async with bulk_running(database, broker):
            await assert_ended(job, database, RICH, POOR)


async def test_the_bulk_process_is_killed_while_its_file_is_applied(
    database: Database, broker: Broker, job: Jobs, tmp_path: Path
) -> None:
    """Everything is written but not committed, and nobody is left who waits for it."""
    async with doomed_consumer(database, broker) as applying:
        async with bulk_process(database, broker.url, tmp_path) as doomed:
            trap = applying.to_books.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
            await hand_in(job, RICH, POOR)
            await until(trap.sprung.is_set, within_s=30)
            await doomed.kill()
        assert await in_books(database, RICH) == {}
        trap.release()
        async with bulk_running(database, broker):
            await assert_ended(job, database, RICH, POOR)


@pytest.mark.parametrize("batch_id", [RICH, POOR])
async def test_the_bulk_process_is_killed_between_two_lots_results(
    database: Database, broker: Broker, job: Jobs, tmp_path: Path, batch_id: str
) -> None:
    """The words of a third of the lines are written: the others get theirs from the same
    outcome."""
    lines = 2500
    async with consuming(database, broker):
        async with bulk_process(database, broker.url, tmp_path) as doomed:
            sending = doomed.to_broker.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
            await hand_in(job, batch_id, lines=lines)
            await until(sending.sprung.is_set, within_s=30)
            # The statement that ends the second lot, as PostgreSQL is given its parameters.
            second_lot = (await doomed.worker(batch_id)).encode() + struct.pack("!ii", 4, 1)
            trap = doomed.to_books.trap(Way.TO_SERVER, second_lot, Then.HOLD)
            sending.release()
            await until(trap.sprung.is_set, within_s=30)
            await doomed.kill()
        halfway = await job.status(batch_id)
        assert (halfway["status"], halfway["lines"]) == ("RUNNING", lines)
        assert halfway["posted"] + halfway["cancelled"] == 1000
        async with bulk_running(database, broker):
            await assert_ended(job, database, batch_id, lines=lines)
