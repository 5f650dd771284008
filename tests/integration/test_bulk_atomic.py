"""Files that are posted whole or not at all, cancelled at every moment."""

from __future__ import annotations

import asyncio

import pytest

from producers.bulk import file
from tests.databases import Database
from tests.integration.bulk_jobs import bulk_running, csv_of, jobs, two_wallets
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, consuming
from tests.polling import eventually

ROWS = [("alice-01", "bob-0001", 1, f"whole-{i:05}") for i in range(20)]


async def test_cancelled_before_its_turn_it_is_not_posted(
    database: Database, broker: Broker
) -> None:
    async with jobs(database, broker) as job:
        await two_wallets(job)
        await job.submit(csv_of(ROWS), batchId="early", atomic="true")
        await job.wish("early", "cancel")
        async with bulk_running(database, broker):
            ended = await job.ended("early")
        assert (ended["status"], ended["posted"]) == ("CANCELLED", 0)
        balance = await job.running.get("/v1/wallets?externalUniqueId=alice-01")
        assert balance["items"][0]["currentBalance"] == "1000.00"


async def test_cancelled_on_its_way_it_ends_as_the_ledger_says(
    database: Database, broker: Broker
) -> None:
    """Its command waits in the queue, and who sent it has gone: it is too late to say that nothing
    moves."""
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await two_wallets(job)
        async with bulk_running(database, broker):
            await job.submit(csv_of(ROWS), batchId="late", atomic="true")

            async def sent() -> bool:
                return sum([await broker.depth(p) for p in range(LAYOUT.partitions)]) == 1

            await eventually(sent)
        await job.wish("late", "cancel")
        async with bulk_running(database, broker), consuming(database, broker):
            ended = await job.ended("late")
        assert (ended["status"], ended["posted"]) == ("DONE", len(ROWS))
        assert {word for _, word, _ in await job.words("late")} == {"POSTED"}


async def test_a_file_that_breaks_its_reader_is_given_up(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A defect of ours: it must not be tried for ever."""

    async def broken(*_: object) -> int:
        await asyncio.sleep(0)
        raise RuntimeError("a defect")

    monkeypatch.setattr(file, "prepare", broken)
    async with jobs(database, broker, consumed=False) as job:
        await job.submit(csv_of(ROWS), batchId="poison")
        async with bulk_running(database, broker):
            ended = await job.ended("poison")
        assert ended["status"] == "FAILED"
        assert "defect" in ended["reason"]
