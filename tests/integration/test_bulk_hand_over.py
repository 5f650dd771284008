"""Bulk files that change hands: between processes, and between layouts."""

from __future__ import annotations

import asyncio

import asyncpg
import pytest

from ledger import batches, layouts
from ledger.batches import LeaseLost
from ledger.database import connect_owner, uploader_pool
from ledger.deployment import Layout
from ledger.sql import BATCHES
from ledger.staged import encode_lines
from tests.databases import Database
from tests.integration.bulk_jobs import Jobs, bulk_running, csv_of, jobs
from tests.integration.gateways import serving
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, consuming, delete_queues
from tests.polling import eventually
from topology.declare import declare

LINES = 3000


async def test_who_takes_over_sends_nothing_twice(database: Database, broker: Broker) -> None:
    """The first process has sent what two messages per partition hold, and is gone before any of it
    is decided; the second finds the lots marked, and every line is posted once."""
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await job.running.wallet("alice-01", str(LINES))
            await job.running.wallet("bob-0001")
        rows = [("alice-01", "bob-0001", 1, f"twice-{i:05}") for i in range(LINES)]
        async with bulk_running(database, broker):
            await job.submit(csv_of(rows), batchId="twice")

            async def sent() -> bool:
                return sum([await broker.depth(p) for p in range(LAYOUT.partitions)]) >= 2

            await eventually(sent)
        assert (await job.status("twice"))["posted"] == 0
        async with bulk_running(database, broker), consuming(database, broker):
            ended = await job.ended("twice")
        assert (ended["status"], ended["posted"], ended["rejected"]) == ("DONE", LINES, 0)


async def test_two_processes_on_one_file_only_repeat_each_other(
    database: Database, broker: Broker
) -> None:
    """A lease that has ended while its holder still works, as after a long stall."""
    async with (
        jobs(database, broker) as job,
        bulk_running(database, broker),
        bulk_running(database, broker),
    ):
        await job.running.wallet("alice-01", "20000")
        await job.running.wallet("bob-0001")
        rows = [("alice-01", "bob-0001", 1, f"both-{i:05}") for i in range(20_000)]
        await job.submit(csv_of(rows), batchId="both")
        owner = await asyncpg.connect(database.owner, server_settings={"search_path": "sov"})
        try:
            for _ in range(5):
                await owner.execute("UPDATE batches SET leased_until = now() - interval '1 s'")
                await asyncio.sleep(0.3)  # how often leases are looked at
        finally:
            await owner.close()
        ended = await job.ended("both")
        assert (ended["status"], ended["posted"], ended["rejected"]) == ("DONE", 20_000, 0)
        assert len(await job.results("both")) == 20_000


async def test_lines_on_the_way_when_the_partitions_change(
    database: Database, broker: Broker
) -> None:
    """What waits in the old layout's queues is never applied; the lots say under which layout they
    were sent, and under the new one every line is posted once."""
    new = Layout(LAYOUT.number + 1, 3)
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await job.running.wallet("alice-01", str(LINES))
            await job.running.wallet("bob-0001")
        rows = [("alice-01", "bob-0001", 1, f"moved-{i:05}") for i in range(LINES)]
        async with bulk_running(database, broker):
            await job.submit(csv_of(rows), batchId="moved")

            async def sent() -> bool:
                return sum([await broker.depth(p) for p in range(LAYOUT.partitions)]) >= 2

            await eventually(sent)
        owner = await connect_owner(database.owner)
        try:
            await layouts.move(owner, LAYOUT, new.partitions, actor="test", reason="test")
        finally:
            await owner.close()
        keys = job.running.keys
    await declare(broker.connection, new)
    try:
        async with (
            serving(
                database.reader, broker.url, keys, database_url_uploader=database.uploader
            ) as running,
            consuming(database, broker),
            bulk_running(database, broker),
        ):
            ended = await Jobs(running).ended("moved")
        assert (ended["status"], ended["posted"], ended["rejected"]) == ("DONE", LINES, 0)
    finally:
        await delete_queues(broker.connection, new)


async def test_who_lost_the_lease_writes_nothing_more(database: Database, broker: Broker) -> None:
    """As a process that was frozen while another one took its file over."""
    async with jobs(database, broker, consumed=False) as job:
        rows = [("alice-01", "bob-0001", 1, f"held-{i:05}") for i in range(9)]
        await job.submit(csv_of(rows), batchId="held")
        pool = await uploader_pool(database.uploader, size=1)
        try:
            await pool.fetch(BATCHES.claim, "first", batches.LEASE, [])
            await batches.restart(pool, "held", "first")
            await batches.add_lots(pool, "held", "first", [(0, 2, 2, 1, encode_lines([]))])
            await pool.execute("UPDATE batches SET leased_until = now() - interval '1 s'")
            await pool.fetch(BATCHES.claim, "second", batches.LEASE, [])
            for late in (
                batches.restart(pool, "held", "first"),
                batches.add_lots(pool, "held", "first", [(1, 3, 3, 1, encode_lines([]))]),
                batches.mark_lots(pool, "held", "first", [0], 1),
                batches.finish_lot(pool, "held", "first", 0, [], {}, {}),
            ):
                with pytest.raises(LeaseLost):
                    await late
            assert not await pool.fetch(BATCHES.finish, "held", "first", "FAILED", "late")
            (lot,) = await batches.open_lots(pool, "held", -1, 9)
            assert lot.layout is None
            await pool.fetch(BATCHES.release, "second", ["held"])
        finally:
            await pool.close()
        async with consuming(database, broker), bulk_running(database, broker):
            ended = await job.ended("held")
        assert (ended["status"], ended["lines"], ended["rejected"]) == ("DONE", 9, 9)
