"""What is left of files and uploads is removed when its time is over, and nothing earlier. The
times are moved in the database, not the clocks."""

from __future__ import annotations

from collections.abc import Mapping

from ledger.database import connect_owner
from tests.databases import Database
from tests.integration.bulk_jobs import Jobs, bulk_running, csv_of, jobs, two_wallets
from tests.integration.processes import Broker
from tests.integration.test_bulk_uploads import cut
from tests.polling import eventually

TABLES = ("batches", "batch_lots", "batch_uploads")


async def shift(database: Database, batch_id: str, by: str) -> None:
    """Move all the file's times into the past."""
    owner = await connect_owner(database.owner)
    try:
        await owner.execute(
            "UPDATE batches SET created = created - $2::text::interval,"
            " touched = touched - $2::text::interval, received = received - $2::text::interval,"
            " started = started - $2::text::interval, finished = finished - $2::text::interval"
            " WHERE batch_id = $1",
            batch_id,
            by,
        )
    finally:
        await owner.close()


async def rows(database: Database, batch_id: str) -> Mapping[str, int]:
    """How many there are of the file, by table."""
    owner = await connect_owner(database.owner)
    try:
        return {
            table: await owner.fetchval(
                f"SELECT count(*) FROM {table} WHERE batch_id = $1",  # noqa: S608  a constant
                batch_id,
            )
            for table in TABLES
        }
    finally:
        await owner.close()


async def posted(job: Jobs, batch_id: str) -> None:
    await job.submit(csv_of([("alice-01", "bob-0001", 1, f"{batch_id}-001")]), batchId=batch_id)
    assert (await job.ended(batch_id))["posted"] == 1


async def becomes(database: Database, batch_id: str, found: tuple[int, int, int]) -> None:
    expected = dict(zip(TABLES, found, strict=True))

    async def are() -> bool:
        return await rows(database, batch_id) == expected

    await eventually(are, within_s=30)


async def test_results_are_forgotten_after_ninety_days(database: Database, broker: Broker) -> None:
    async with jobs(database, broker) as job:
        await two_wallets(job)
        async with bulk_running(database, broker):
            for batch_id in ("older", "younger"):
                await posted(job, batch_id)
            await job.submit(b"nonsense\n", batchId="refused")
            await job.ended("refused")
        await job.submit(csv_of([("alice-01", "bob-0001", 1, "rests-001")]), batchId="rests")
        await job.wish("rests", "pause")
        await job.submit(csv_of([("alice-01", "bob-0001", 1, "leased-01")]), batchId="leased")
        await lease(database, "leased")
        for batch_id in ("older", "refused", "rests", "leased"):
            await shift(database, batch_id, "90 days 1 minute")
        await shift(database, "younger", "89 days 23 hours")
        async with bulk_running(database, broker):
            for batch_id in ("older", "refused"):
                await becomes(database, batch_id, (0, 0, 0))
        assert await rows(database, "younger") == dict(zip(TABLES, (1, 1, 0), strict=True))
        assert [r["status"] for r in await job.results("younger")] == ["POSTED"]
        # However old: they have not ended.
        for batch_id, status in (("rests", "PAUSED"), ("leased", "QUEUED")):
            assert await rows(database, batch_id) == dict(zip(TABLES, (1, 0, 1), strict=True))
            assert (await job.status(batch_id))["status"] == status
        gone = await job.http.get("/v1/batches/older")
        assert (gone.status_code, gone.json()["code"]) == (404, "batch-not-found")


async def lease(database: Database, batch_id: str) -> None:
    """Somebody else works on it, for as long as this test lasts."""
    owner = await connect_owner(database.owner)
    try:
        await owner.execute(
            "UPDATE batches SET leased_by = 'another', leased_until = now() + interval '1 hour'"
            " WHERE batch_id = $1",
            batch_id,
        )
    finally:
        await owner.close()


async def test_an_upload_that_was_cut_is_given_up_after_a_day(
    database: Database, broker: Broker
) -> None:
    async with jobs(database, broker) as job:
        await two_wallets(job)
        for batch_id in ("left", "fresh", "older", "cancelled"):
            await cut(job, batch_id, 1_500_000)
        await job.wish("cancelled", "cancel")
        # Days after it ended, because nobody was there to tidy.
        await shift(database, "cancelled", "5 days")
        await shift(database, "left", "24 hours 1 minute")
        await shift(database, "fresh", "23 hours 59 minutes")
        async with bulk_running(database, broker):
            for batch_id in ("left", "cancelled"):
                await becomes(database, batch_id, (1, 0, 0))
            given_up = await job.status("left")
            assert (given_up["status"], given_up["posted"]) == ("FAILED", 0)
            assert "never continued" in given_up["reason"]
        for batch_id in ("fresh", "older"):
            assert await rows(database, batch_id) == dict(zip(TABLES, (1, 0, 2), strict=True))
            status = await job.status(batch_id)
            assert (status["status"], status["receivedBytes"]) == ("RECEIVING", 1_500_000)
