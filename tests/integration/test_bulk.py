"""Bulk files from the first byte to the last result."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from ledger.batches import Format, Kind, Order, Status
from ledger.database import uploader_pool
from producers.bulk import unpacking
from producers.bulk.handing_in import NotTheSame, hand_in
from tests.databases import Database
from tests.integration.bulk_jobs import Jobs, bulk_running, csv_of, jobs
from tests.integration.processes import Broker
from tests.polling import eventually


@pytest.fixture
async def job(database: Database, broker: Broker) -> AsyncIterator[Jobs]:
    async with jobs(database, broker) as found, bulk_running(database, broker):
        yield found


async def two_wallets(job: Jobs, balance: str = "1000") -> tuple[str, str]:
    alice = await job.running.wallet("alice-01", balance)
    return alice, await job.running.wallet("bob-0001")


async def test_every_line_gets_its_word(job: Jobs) -> None:
    alice, bob = await two_wallets(job, "100")
    file = (
        "\ufefffromWalletId,toWalletId,amount,externalUniqueId,description\r\n"
        f"{alice},{bob},60.00,salary-001,first\r\n"
        f'{alice},{bob},60.00,salary-002,"more, than ""there"" is"\r\n'
        "\r\n"
        f"{alice},{bob},0,salary-003,\r\n"
        f"{alice},{alice},1,salary-004,\r\n"
        f"{alice},{bob},40.00,salary-001,again\r\n"
        f"{bob},{alice},10.00,=salary-005,formula\r\n"
    )
    taken = await job.submit(file.encode(), batchId="march")
    assert (taken["batchId"], taken["receivedBytes"]) == ("march", len(file.encode()))
    ended = await job.ended("march")
    assert ended["status"] == "DONE"
    assert await job.words("march") == [
        (2, "POSTED", ""),
        (3, "REJECTED", "insufficient-funds"),
        (5, "INVALID", "invalid-amount"),
        (6, "REJECTED", "same-wallet"),
        (7, "REJECTED", "duplicate-transfer"),
        (8, "POSTED", ""),
    ]
    counts = {name: ended[name] for name in ("lines", "posted", "rejected", "invalid")}
    assert counts == {"lines": 6, "posted": 2, "rejected": 3, "invalid": 1}
    assert ended["postedAmount"] == {"ZAR": "70.00"}
    assert ended["rejectedAmount"] == {"ZAR": "101.00"}
    results = await job.results("march")
    assert results[-1]["externalUniqueId"] == "'=salary-005"
    found = await job.running.get("/v1/transfers", externalUniqueId="salary-001")
    assert found["items"][0]["transferId"] == results[0]["transferId"]
    assert [r["line"] for r in await job.results("march", afterLine=6)] == ["7", "8"]


async def test_results_as_ndjson(job: Jobs) -> None:
    await two_wallets(job)
    line = (
        '{"fromExternalUniqueId":"alice-01","toExternalUniqueId":"bob-0001","amount":1.5E1,'
        '"externalUniqueId":"order-001","metadata":{"run":"7"}}\nnonsense\n'
    )
    taken = await job.submit(
        gzip.compress(line.encode()), media="application/x-ndjson", encoding="gzip"
    )
    await job.ended(taken["batchId"])
    answer = await job.http.get(
        f"/v1/batches/{taken['batchId']}/results", headers={"Accept": "application/x-ndjson"}
    )
    assert answer.headers["sov-results-complete"] == "true"
    first, second = answer.text.splitlines()
    assert '"status":"POSTED"' in first
    assert '"status":"INVALID","transferId":null,"code":"invalid-request"' in second
    posted = await job.running.get("/v1/transfers", externalUniqueId="order-001")
    assert posted["items"][0]["amount"] == "15.00"
    assert posted["items"][0]["metadata"] == {"run": "7"}


@pytest.mark.parametrize(
    ("file", "query", "why"),
    [
        (b"foo,bar\n1,2\n", {}, "'foo'"),
        (b"", {}, "no header"),
        (b"\xff\xfef\x00", {}, "UTF-16"),
        (b"amount\xe9\n", {}, "UTF-8"),
        (csv_of([("alice-01", "bob-0001", 1, "key-0001")]), {"controlCount": 2}, "controlCount"),
        (csv_of([("alice-01", "bob-0001", 1, "key-0001")]), {"controlTotal": "2"}, "adds up to 1"),
        (b"not gzip", {"encoding": "gzip"}, "not gzip"),
        (gzip.compress(b"amount" * 100)[:-9], {"encoding": "gzip"}, "cut short"),
        (gzip.compress(b" " * 100_000_000), {"encoding": "gzip"}, "unpacks to more"),
    ],
)  # fmt: skip
async def test_a_bad_file_moves_nothing(
    job: Jobs, file: bytes, query: dict[str, Any], why: str
) -> None:
    await two_wallets(job)
    taken = await job.submit(file, **query)
    ended = await job.ended(taken["batchId"])
    assert (ended["status"], ended["posted"]) == ("FAILED", 0)
    assert why in ended["reason"]
    assert await job.results(taken["batchId"]) == []


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


async def test_a_whole_file_sent_again_completes_what_was_cut(job: Jobs) -> None:
    await two_wallets(job)
    await cut(job, "cut", 1_500_000)
    await job.submit(b"x" + LONG, batchId="cut", expect=409)
    await job.submit(LONG, batchId="cut")
    assert (await job.ended("cut"))["posted"] == 1000


async def test_pause_resume_cancel(job: Jobs) -> None:
    await job.running.wallet("alice-01", "1000000")
    await job.running.wallet("bob-0001")
    rows = [("alice-01", "bob-0001", 1, f"pause-{i:06}") for i in range(30_000)]
    await job.submit(csv_of(rows), batchId="long")

    async def running() -> bool:
        return int((await job.status("long"))["posted"]) > 0

    await eventually(running, 30)
    await job.wish("long", "pause")

    async def paused() -> bool:
        return str((await job.status("long"))["status"]) == "PAUSED"

    await eventually(paused, 30)
    before = (await job.status("long"))["posted"]
    assert before < 30_000
    await job.wish("long", "resume")

    async def further() -> bool:
        return int((await job.status("long"))["posted"]) > int(before)

    await eventually(further, 30)
    await job.wish("long", "cancel")
    ended = await job.ended("long")
    assert ended["status"] == "CANCELLED"
    assert ended["posted"] + ended["cancelled"] == 30_000
    assert ended["cancelled"] > 0
    words = await job.words("long")
    assert [line for line, _, _ in words] == list(range(2, 30_002))
    balance = await job.running.get("/v1/wallets", externalUniqueId="bob-0001")
    assert balance["items"][0]["currentBalance"] == f"{ended['posted']}.00"
    await job.wish("long", "resume", expect=409)


async def test_all_or_nothing(job: Jobs) -> None:
    await two_wallets(job, "100")
    rows = [("alice-01", "bob-0001", 10, f"whole-{i:03}") for i in range(11)]
    taken = await job.submit(csv_of(rows), atomic="true")
    ended = await job.ended(taken["batchId"])
    assert (ended["posted"], ended["rejected"], ended["cancelled"]) == (0, 1, 10)
    assert "line 12 was refused (insufficient-funds)" in ended["reason"]
    taken = await job.submit(csv_of(rows[:10]), atomic="true")
    ended = await job.ended(taken["batchId"])
    assert (ended["posted"], ended["postedAmount"]) == (10, {"ZAR": "100.00"})
    words = await job.results(taken["batchId"])
    assert len({word["transferId"] for word in words}) == 10
    many = csv_of([("alice-01", "bob-0001", 1, f"many-{i:06}") for i in range(10_001)])
    taken = await job.submit(many, atomic="true")
    assert "more than 10000 lines" in (await job.ended(taken["batchId"]))["reason"]
    bad = csv_of([("alice-01", "bob-0001", "x", "bad-000001"), *rows[:1]])
    taken = await job.submit(bad, atomic="true")
    await job.ended(taken["batchId"])
    assert [word for _, word, _ in await job.words(taken["batchId"])] == ["INVALID", "CANCELLED"]


async def test_a_dry_run_moves_nothing(job: Jobs) -> None:
    await two_wallets(job, "100")
    rows = [
        ("alice-01", "bob-0001", 60, "dry-00001"),
        ("alice-01", "bob-0001", 60, "dry-00002"),
        ("bob-0001", "alice-01", 50, "dry-00003"),
        ("alice-01", "bob-0001", 60, "dry-00004"),
        ("alice-01", "bob-0001", 60, "dry-00001"),
        ("nobody-1", "bob-0001", 60, "dry-00005"),
    ]
    taken = await job.submit(csv_of(rows), dryRun="true")
    await job.ended(taken["batchId"])
    results = await job.results(taken["batchId"])
    assert [(r["status"], r["code"]) for r in results] == [
        ("POSTED", ""),
        ("REJECTED", "insufficient-funds"),
        ("POSTED", ""),
        ("POSTED", ""),
        ("REJECTED", "duplicate-transfer"),
        ("REJECTED", "unknown-wallet"),
    ]
    assert all(r["detail"].startswith("estimate: ") and not r["transferId"] for r in results)
    balance = await job.running.get("/v1/wallets", externalUniqueId="bob-0001")
    assert balance["items"][0]["currentBalance"] == "0.00"


async def test_wallets_in_bulk(job: Jobs) -> None:
    rows = [(f"employee-{i % 50:03}", "ZAR", f"Number {i}") for i in range(60)]
    taken = await job.submit(csv_of(rows, "externalUniqueId,currency,name"), kind="wallets")
    ended = await job.ended(taken["batchId"])
    assert (ended["posted"], ended["rejected"]) == (50, 10)
    results = await job.results(taken["batchId"])
    wallet = await job.running.get(f"/v1/wallets/{results[0]['walletId']}")
    assert wallet["name"] == "Number 0"
    assert results[-1]["code"] == "duplicate-wallet"


async def test_what_is_late_expires(job: Jobs) -> None:
    await two_wallets(job)
    past = (datetime.now(UTC) - timedelta(hours=1)).isoformat()
    taken = await job.submit(csv_of([("alice-01", "bob-0001", 1, "late-001")]), notAfter=past)
    ended = await job.ended(taken["batchId"])
    assert (ended["posted"], ended["expired"]) == (0, 1)


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
    assert unpacking.LINE_LIMIT < 1024 * 1024


async def test_who_may(job: Jobs) -> None:
    for scope, status in (("reader", 403), ("eclipse", 403)):
        answer = await job.http.post(
            "/v1/batches", headers={**job.running.key(scope), "Content-Type": "text/csv"}
        )
        assert answer.status_code == status
    unknown = await job.http.get("/v1/batches/nothing", headers=job.running.key("reader"))
    assert (unknown.status_code, unknown.json()["code"]) == (404, "batch-not-found")
    wrong = await job.http.post("/v1/batches", json={}, headers=job.running.key("batch"))
    assert wrong.status_code == 415
    taken = await job.submit(b"x")
    listed = await job.running.get("/v1/batches")
    assert [each["batchId"] for each in listed["items"]] == [taken["batchId"]]


async def test_a_job_beside_the_database_needs_no_http(job: Jobs, database: Database) -> None:
    await two_wallets(job)
    order = Order(Kind.TRANSFERS, Format.CSV, "identity")

    async def pieces(size: int) -> AsyncIterator[bytes]:
        for start in range(0, len(LONG), size):
            yield LONG[start : start + size]

    pool = await uploader_pool(database.uploader, size=1)
    try:
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
