"""PostgreSQL is killed while a file is posted whole: after its recovery all of it is there, or it
is posted then, and what is said of it is so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from tests.databases import Database
from tests.faults.consumer_process import ALL, ConsumerProcess, consumer_process, epochs, taken_over
from tests.faults.own_postgres import OwnPostgres, own_postgres
from tests.faults.whole_files import POOR, RICH, assert_ended, fund, hand_in
from tests.integration.bulk_jobs import bulk_running, jobs
from tests.integration.processes import Broker, consuming
from tests.polling import until
from tests.proxy import BASIC_PUBLISH, COMMIT, Proxy, Then, Trap, Way
from tests.servers import Servers


@pytest.fixture(scope="module")
async def own(servers: Servers) -> AsyncIterator[OwnPostgres]:
    async with own_postgres(servers) as found:
        yield found


@pytest.fixture
async def books(own: OwnPostgres) -> AsyncIterator[Database]:
    async with own.books() as database:
        yield database


def trap_at(consumer: ConsumerProcess, staging: Proxy, moment: str) -> Trap:
    match moment:
        case "before its command":
            return staging.trap(Way.TO_SERVER, b"SET layout = coalesce", Then.HOLD)
        case "before COMMIT":
            return consumer.to_books.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
        case "COMMIT unheard":
            return consumer.to_books.trap(Way.TO_CLIENT, COMMIT, Then.HOLD)
        case "between COMMIT and reply":
            return consumer.to_broker.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
        case _:
            return staging.trap(Way.TO_SERVER, b"SET results = $4", Then.HOLD)


@pytest.mark.parametrize(
    "moment",
    [
        "before its command",
        "before COMMIT",
        "COMMIT unheard",
        "between COMMIT and reply",
        "before its results",
    ],
)
async def test_killed(own: OwnPostgres, books: Database, broker: Broker, moment: str) -> None:
    """SIGKILL of the postmaster; nobody restarts anything but the server."""
    async with jobs(books, broker, consumed=False) as job:
        async with consuming(books, broker):
            await fund(job)
        since = await epochs(books)
        async with (
            consumer_process(books, broker) as consumer,
            Proxy.before(books.uploader) as (staging, dsn),
            bulk_running(replace(books, uploader=dsn), broker),
        ):
            await taken_over(books, since, ALL)
            trap = trap_at(consumer, staging, moment)
            await hand_in(job, RICH, POOR)
            await until(trap.sprung.is_set)
            own.kill_postmaster()
            await until(lambda: not own.server.alive())
            await until(lambda: not job.running.gateway.ready)
            trap.release()
            await own.server.start()
            await until(lambda: job.running.gateway.ready, within_s=60)
            await assert_ended(job, books, RICH, POOR)
