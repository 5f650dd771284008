"""Files that are posted whole while the number of partitions changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest

from ledger import layouts
from ledger.database import connect_owner
from ledger.deployment import Layout
from tests.databases import Database
from tests.faults.test_repartition import repartitioning, said, tended
from tests.faults.whole_files import POOR, RICH, assert_ended, fund, hand_in, hand_in_beside
from tests.integration.bulk_jobs import Jobs, bulk_running, jobs
from tests.integration.gateways import serving
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, consuming
from tests.polling import eventually, until
from topology.declare import declare
from topology.errors import LayoutChanged
from topology.repartition import NotDrained

__all__ = ["said"]

NEW = Layout(LAYOUT.number + 1, 3)


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect_owner(database.owner)
    yield connection
    await connection.close()


@asynccontextmanager
async def tended_bulk(database: Database, broker: Broker) -> AsyncIterator[None]:
    """A bulk process that is started again when the layout has changed, as its supervisor does."""
    over = asyncio.Event()

    async def tend() -> None:
        while not over.is_set():
            try:
                async with bulk_running(database, broker) as bulk:
                    await until(lambda: over.is_set() or not bulk.ready, within_s=120)
            except LayoutChanged:
                continue

    tending = asyncio.create_task(tend())
    yield
    over.set()
    await tending


@asynccontextmanager
async def next_gateway(database: Database, broker: Broker, job: Jobs) -> AsyncIterator[Jobs]:
    """One that was started in the new layout."""
    serve = serving(
        database.reader, broker.url, job.running.keys, database_url_uploader=database.uploader
    )
    async with serve as running:
        yield Jobs(running)


async def all_sent(broker: Broker) -> bool:
    return sum([await broker.depth(p) for p in range(LAYOUT.partitions)]) == 2


async def test_handed_in_while_queues_drain(
    database: Database, broker: Broker, owner: asyncpg.Connection[Any], said: list[str]
) -> None:
    """Nothing is sent until the new layout is in force; then each is posted or refused there."""
    async with (
        jobs(database, broker, consumed=False) as job,
        tended(database, broker),
        tended_bulk(database, broker),
    ):
        await fund(job)
        moving = asyncio.create_task(repartitioning(owner, broker, said).run(NEW.partitions))
        await until(lambda: said)
        await hand_in_beside(database, RICH, POOR)
        assert await moving == NEW
        async with next_gateway(database, broker, job) as anew:
            await assert_ended(anew, database, RICH, POOR)


async def test_what_does_not_drain_is_posted_in_the_old_layout(
    database: Database, broker: Broker, owner: asyncpg.Connection[Any], said: list[str]
) -> None:
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await fund(job)
        async with bulk_running(database, broker):
            await hand_in(job, RICH, POOR)
            await eventually(lambda: all_sent(broker))
            with pytest.raises(NotDrained):
                await repartitioning(owner, broker, said, limit_s=1).run(NEW.partitions)
            async with consuming(database, broker):
                await assert_ended(job, database, RICH, POOR)


async def test_sent_too_late_for_the_old_layout(
    database: Database, broker: Broker, owner: asyncpg.Connection[Any], said: list[str]
) -> None:
    """Their commands come to the old queues when the books have moved: they are brought over and
    refused there, and sent again as the new layout's."""
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await fund(job)
        async with bulk_running(database, broker):
            await hand_in(job, RICH, POOR)
            await eventually(lambda: all_sent(broker))
        # As if they had been published behind the drain's last look.
        await declare(broker.connection, NEW)
        assert await layouts.move(owner, LAYOUT, NEW.partitions, actor="test", reason="test") == NEW
        async with (
            tended(database, broker),
            next_gateway(database, broker, job) as anew,
            tended_bulk(database, broker),
        ):
            assert await repartitioning(owner, broker, said).run(NEW.partitions) == NEW
            assert "2 late messages were brought over, to be refused" in said
            await assert_ended(anew, database, RICH, POOR)
