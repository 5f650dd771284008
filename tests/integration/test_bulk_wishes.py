"""Pausing, resuming and cancelling a file whose lines are on their way."""

from __future__ import annotations

from tests.databases import Database
from tests.integration.bulk_jobs import Jobs, bulk_running, csv_of, jobs
from tests.integration.processes import Broker, consuming
from tests.polling import eventually

#: More than a runner holds in memory: the rest has never been sent when the file is cancelled.
LINES = 30_000


async def test_pause_resume_cancel(database: Database, broker: Broker) -> None:
    """The consumers are away at first, so that the file stands where it stood when it was told."""
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await job.running.wallet("alice-01", "1000000")
            await job.running.wallet("bob-0001")
        rows = [("alice-01", "bob-0001", 1, f"pause-{i:06}") for i in range(LINES)]
        async with bulk_running(database, broker):
            await job.submit(csv_of(rows), batchId="long")
            await becomes(job, "RUNNING")
            await job.wish("long", "pause")
            await becomes(job, "PAUSED")
            async with consuming(database, broker):
                assert (await job.status("long"))["posted"] == 0
                await job.wish("long", "resume")
                await eventually(lambda: posted(job), 30)
            await job.wish("long", "cancel")
            async with consuming(database, broker):
                ended = await job.ended("long")
        assert ended["status"] == "CANCELLED"
        assert ended["posted"] + ended["cancelled"] == LINES
        words = await job.words("long")
        assert [line for line, _, _ in words] == list(range(2, LINES + 2))
        balance = await job.running.get("/v1/wallets", externalUniqueId="bob-0001")
        assert balance["items"][0]["currentBalance"] == f"{ended['posted']}.00"
        await job.wish("long", "resume", expect=409)


async def test_cancelled_while_it_rests(database: Database, broker: Broker) -> None:
    """Nothing of it was ever decided: what was on its way is posted, the rest is not sent."""
    async with jobs(database, broker, consumed=False) as job:
        async with consuming(database, broker):
            await job.running.wallet("alice-01", "1000000")
            await job.running.wallet("bob-0001")
        rows = [("alice-01", "bob-0001", 1, f"rests-{i:06}") for i in range(LINES)]
        async with bulk_running(database, broker):
            await job.submit(csv_of(rows), batchId="long")
            await becomes(job, "RUNNING")
            await job.wish("long", "pause")
            await becomes(job, "PAUSED")
            await job.wish("long", "cancel")
            async with consuming(database, broker):
                ended = await job.ended("long")
        assert ended["status"] == "CANCELLED"
        assert ended["cancelled"] > 0
        assert ended["posted"] + ended["cancelled"] == LINES


async def becomes(job: Jobs, status: str) -> None:
    async def is_there() -> bool:
        return str((await job.status("long"))["status"]) == status

    await eventually(is_there, 30)


async def posted(job: Jobs) -> bool:
    return int((await job.status("long"))["posted"]) > 0
