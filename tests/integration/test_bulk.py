"""Bulk files from the first byte to the last result."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.bulk_jobs import Jobs, csv_of, two_wallets


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
        f"{alice},{bob},10.00,=salary-005,formula\r\n"
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
        (gzip.compress(b"amount" * 100, mtime=0)[:-9], {"encoding": "gzip"}, "cut short"),
        (gzip.compress(b" " * 100_000_000, mtime=0), {"encoding": "gzip"}, "unpacks to more"),
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
