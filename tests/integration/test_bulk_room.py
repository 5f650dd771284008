"""What all files together may take while they arrive."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from ledger.batches import Format, Kind, Order
from ledger.database import connect_owner, uploader_pool
from producers.bulk.handing_in import NoRoom, hand_in
from tests.databases import Database
from tests.integration.bulk_jobs import MIB, Jobs, bulk_running, csv_of, two_wallets
from tests.integration.gateways import make_keys, serving
from tests.integration.processes import Broker, consuming
from topology.settings import Settings

TOTAL = 4 * MIB
FILE = csv_of([("alice-01", "bob-0001", 1, "room-0001")]) + b"\n" * (3 * MIB)


@asynccontextmanager
async def small(database: Database, broker: Broker) -> AsyncIterator[Jobs]:
    """A gateway with room for little more than one such file. No runner."""
    serve = serving(
        database.reader,
        broker.url,
        await make_keys(database),
        database_url_uploader=database.uploader,
        bulk_max_bytes=TOTAL,
        bulk_max_total_bytes=TOTAL,
    )
    async with serve as running, consuming(database, broker):
        yield Jobs(running)


async def put(job: Jobs, batch_id: str, file: Any, **headers: str) -> httpx.Response:
    return await job.http.post(
        "/v1/batches",
        params={"batchId": batch_id},
        content=file,
        headers={**job.running.key("batch"), "Content-Type": "text/csv", **headers},
    )


def assert_no_room(answer: httpx.Response, offset: int) -> None:
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable"), answer.text
    assert answer.json()["retryable"] is True
    assert int(answer.headers["retry-after"]) >= 1
    assert answer.headers["upload-offset"] == str(offset)


async def kept(database: Database, batch_id: str) -> int:
    owner = await connect_owner(database.owner)
    try:
        found: int = await owner.fetchval(
            "SELECT coalesce(sum(length(bytes)), 0) FROM batch_uploads WHERE batch_id = $1",
            batch_id,
        )
    finally:
        await owner.close()
    return found


async def test_a_file_for_which_there_is_no_room_is_refused_before_it_is_kept(
    database: Database, broker: Broker
) -> None:
    async with small(database, broker) as job:
        await two_wallets(job)
        assert (await put(job, "first", FILE)).status_code == 202
        assert_no_room(await put(job, "second", FILE), 0)
        assert await kept(database, "second") == 0
        # What does fit is taken.
        assert (await put(job, "short", FILE[: MIB // 2])).status_code == 202
        async with bulk_running(database, broker):
            await job.ended("first")
            # It has been read: its bytes are gone, and there is room again by itself.
            assert (await put(job, "second", FILE)).status_code == 202
            ended = await job.ended("second")
        assert (ended["status"], ended["rejected"]) == ("DONE", 1)


async def test_an_upload_that_does_not_say_its_size_goes_on_when_there_is_room(
    database: Database, broker: Broker
) -> None:
    """It is refused where the room ends, keeps what came, and is continued there."""

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(FILE), MIB // 4):
            yield FILE[start : start + MIB // 4]

    async with small(database, broker) as job:
        await two_wallets(job)
        assert (await put(job, "first", FILE[: 5 * MIB // 2])).status_code == 202
        assert_no_room(await put(job, "second", parts()), MIB)
        assert await kept(database, "second") == MIB
        status = await job.status("second")
        assert (status["status"], status["receivedBytes"]) == ("RECEIVING", MIB)
        headers = {**job.running.key("batch"), "Upload-Offset": str(MIB)}
        refused = await job.http.patch("/v1/batches/second", content=FILE[MIB:], headers=headers)
        assert_no_room(refused, MIB)
        async with bulk_running(database, broker):
            await job.ended("first")
            done = await job.http.patch("/v1/batches/second", content=FILE[MIB:], headers=headers)
            assert done.status_code == 202, done.text
            ended = await job.ended("second")
        assert ended["posted"] + ended["rejected"] == 1


async def test_a_job_beside_the_database_is_told_so_too(database: Database, broker: Broker) -> None:
    async def one(file: bytes) -> AsyncIterator[bytes]:
        yield file

    order = Order(Kind.TRANSFERS, Format.CSV, "identity")
    pool = await uploader_pool(database.uploader, size=1)
    try:
        await hand_in(pool, "first", "test", order, one(FILE[: 5 * MIB // 2]), most_staged=TOTAL)
        with pytest.raises(NoRoom, match=f"first {MIB} bytes"):
            await hand_in(pool, "second", "test", order, one(FILE), most_staged=TOTAL)
        # Where it stands it goes on.
        twice = await hand_in(pool, "second", "test", order, one(FILE), most_staged=2 * TOTAL)
        assert twice.received_bytes == len(FILE)
    finally:
        await pool.close()


def test_the_sum_is_no_smaller_than_one_file() -> None:
    with pytest.raises(ValueError, match="SOV_BULK_MAX_TOTAL_BYTES"):
        Settings(bulk_max_bytes=2, bulk_max_total_bytes=1)
