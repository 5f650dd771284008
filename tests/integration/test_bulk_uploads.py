"""Bulk files on their way in: cut, continued, sent again, and without HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace

import httpx
import pytest

from gateway import connection
from ledger.batches import Format, Kind, Order, Status
from ledger.database import uploader_pool
from producers.bulk.handing_in import NotTheSame, hand_in
from tests.databases import Database
from tests.integration.bulk_jobs import MIB, Jobs, csv_of, two_wallets
from tests.polling import eventually

LONG = csv_of(
    [("alice-01", "bob-0001", 1, f"part-{i:05}", "x" * 200) for i in range(9000)],
    "fromExternalUniqueId,toExternalUniqueId,amount,externalUniqueId,description",
)


async def cut(job: Jobs, batch_id: str, after: int) -> int:
    """Begin the upload of ``LONG`` and break it off behind some bytes; answers how many are kept:
    all that were taken off the connection."""

    async def kept() -> int:
        answer = await job.http.get(f"/v1/batches/{batch_id}")
        return int(answer.json()["receivedBytes"]) if answer.status_code == 200 else 0

    async def part() -> AsyncIterator[bytes]:
        yield LONG[:after]
        await eventually(kept)
        raise ConnectionAbortedError

    headers = {**job.running.key("batch"), "Content-Type": "text/csv"}
    async with httpx.AsyncClient(base_url=job.running.url, timeout=30) as client:
        with pytest.raises(ConnectionAbortedError):
            await client.post(f"/v1/batches?batchId={batch_id}", content=part(), headers=headers)

    async def all_kept() -> bool:
        return await kept() == after

    await eventually(all_kept)
    return after


async def test_a_cut_upload_goes_on_where_it_stands(job: Jobs) -> None:
    await two_wallets(job)
    offset = await cut(job, "cut", 1_500_000)
    state = await job.status("cut")
    assert (state["status"], state["receivedBytes"]) == ("RECEIVING", offset)
    headers = {**job.running.key("batch"), "Upload-Offset": str(offset + 1)}
    wrong = await job.http.patch("/v1/batches/cut", content=b"x", headers=headers)
    assert (wrong.status_code, wrong.headers["upload-offset"]) == (409, str(offset))
    headers["Upload-Offset"] = str(offset)
    done = await job.http.patch("/v1/batches/cut", content=LONG[offset:], headers=headers)
    assert done.status_code == 202, done.text
    # There is no more money than that; the others were refused, each with its own word.
    assert (await job.ended("cut"))["posted"] == 1000
    again = await job.submit(LONG, batchId="cut")
    assert (again["status"], again["posted"]) == ("DONE", 1000)
    await job.submit(LONG + b" ", batchId="cut", expect=409)
    await job.submit(LONG, batchId="cut", atomic="true", expect=409)


async def test_an_upload_of_a_byte_now_and_then_is_ended_and_goes_on(
    job: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would hold its connection for ever; what came of it is kept all the same."""
    await two_wallets(job)
    monkeypatch.setattr(connection, "REQUEST_LIMIT_S", 1.0)
    reader, writer = await asyncio.open_connection(
        *job.running.url.removeprefix("http://").split(":")
    )
    key = job.running.key("batch")["Authorization"]
    writer.write(
        b"POST /v1/batches?batchId=slow HTTP/1.1\r\nHost: x\r\nContent-Type: text/csv\r\n"
        b"Authorization: %b\r\nContent-Length: %d\r\n\r\n" % (key.encode(), len(LONG))
    )
    dripping = asyncio.create_task(_drip(writer))
    async with asyncio.timeout(30):
        with suppress(ConnectionError):
            assert await reader.read() == b""
    sent = await dripping
    writer.close()
    monkeypatch.undo()

    async def stands() -> int:
        state = await job.status("slow")
        assert state["status"] == "RECEIVING"
        return int(state["receivedBytes"])

    offset = await eventually(stands)
    assert offset <= sent
    headers = {**job.running.key("batch"), "Upload-Offset": str(offset)}
    done = await job.http.patch("/v1/batches/slow", content=LONG[offset:], headers=headers)
    assert done.status_code == 202, done.text
    assert (await job.ended("slow"))["posted"] == 1000


async def _drip(writer: asyncio.StreamWriter) -> int:
    """The file's bytes one by one, each well within the limit of the one before; answers how many
    until the connection is gone."""
    sent = 0
    with suppress(ConnectionError):
        while True:
            writer.write(LONG[sent : sent + 1])
            await writer.drain()
            sent += 1
            await asyncio.sleep(0.02)
    return sent


async def test_a_whole_file_sent_again_completes_what_was_cut(job: Jobs) -> None:
    await two_wallets(job)
    await cut(job, "cut", 1_500_000)
    await job.submit(b"x" + LONG, batchId="cut", expect=409)
    await job.submit(LONG, batchId="cut")
    assert (await job.ended("cut"))["posted"] == 1000


async def test_a_line_without_end_costs_that_line(job: Jobs) -> None:
    await two_wallets(job)
    header, first, _ = csv_of([("alice-01", "bob-0001", 1, "long-001")]).split(b"\n")

    async def file() -> AsyncIterator[bytes]:
        yield header + b"\n"
        for _ in range(40):
            yield b"x" * 1024 * 1024
        yield b"\n" + first + b"\n"

    taken = await job.submit(file())
    await job.ended(taken["batchId"])
    assert [word for _, word, _ in await job.words(taken["batchId"])] == ["INVALID", "POSTED"]


async def test_a_job_beside_the_database_needs_no_http(job: Jobs, database: Database) -> None:
    await two_wallets(job)
    order = Order(Kind.TRANSFERS, Format.CSV, "identity")

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(LONG), size):
            yield LONG[start : start + size]

    async def cut_off(after: int) -> AsyncIterator[bytes]:
        yield LONG[:after]
        raise ConnectionAbortedError

    async def one(file: bytes) -> AsyncIterator[bytes]:
        yield file

    pool = await uploader_pool(database.uploader, size=1)
    try:
        with pytest.raises(ConnectionAbortedError):
            await hand_in(pool, "beside", "payroll", order, cut_off(1_500_000))
        assert (await job.status("beside"))["receivedBytes"] == MIB
        # As long as the file, and different in what was kept of it: never spliced.
        with pytest.raises(NotTheSame, match="another file"):
            await hand_in(pool, "beside", "payroll", order, one(LONG[:5000] + b"!" + LONG[5001:]))
        kept = await hand_in(pool, "beside", "payroll", order, pieces(100_000))
        assert kept.received_bytes == len(LONG)
        assert (await job.ended("beside"))["posted"] == 1000
        again = await hand_in(pool, "beside", "payroll", order, pieces(7_000_000))
        assert again.status is Status.DONE
        other = replace(order, atomic=True)
        with pytest.raises(NotTheSame):
            await hand_in(pool, "beside", "payroll", other, pieces(100_000))
    finally:
        await pool.close()
