"""Asking for a comparison: what is refused, what cannot be used, what is the same again."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from bank.sql import RECONCILIATIONS as SQL
from ledger.database import banker_pool
from tests.databases import Database
from tests.integration.comparisons import Comparisons, comparisons, extract_of, reconciling
from tests.integration.extracts import ALL, LONG_AGO, three_payments
from tests.integration.processes import Broker
from tests.polling import eventually

HEADER = b"externalUniqueId,fromWalletId,toWalletId,amount,status\n"
#: A few hundred bytes as they are sent.
TOO_MANY = gzip.compress(HEADER + b"x\n" * 100_001, mtime=0)


@pytest.fixture
async def compared(database: Database, broker: Broker) -> AsyncIterator[Comparisons]:
    async with comparisons(database, broker) as found, reconciling(database, broker.url):
        yield found


@pytest.mark.parametrize(
    ("extract", "query", "why"),
    [
        (b"", {}, "no header"),
        (b"amount,status\n", {}, "externalUniqueId"),
        (b"foo\n", {}, "'foo'"),
        (b"\xff\xfef\x00", {}, "UTF-16"),
        (b"not gzip", {"encoding": "gzip"}, "not gzip"),
        (gzip.compress(b"amount" * 100, mtime=0)[:-9], {"encoding": "gzip"}, "cut short"),
        pytest.param(
            *(TOO_MANY, {"encoding": "gzip"}, "is none: more than 100000 of its lines"),
            id="too many",
        ),
    ],
)
async def test_an_extract_that_cannot_be_used(
    compared: Comparisons, extract: bytes, query: dict[str, Any], why: str
) -> None:
    await compared.running.wallet("alice-01")
    taken = await compared.send(
        extract,
        periodFrom=LONG_AGO.isoformat(),
        periodTo=(await compared.now()).isoformat(),
        **query,
    )
    ended = await compared.ended(taken["reconciliationId"])
    assert ended["status"] == "FAILED"
    assert why in ended["reason"]
    answer = await compared.http.get(f"/v1/reconciliations/{taken['reconciliationId']}/report")
    assert (answer.status_code, answer.json()["code"]) == (409, "reconciliation-conflict")


async def test_the_same_request_is_the_same_reconciliation(compared: Comparisons) -> None:
    await three_payments(compared)
    until = (await compared.now()).isoformat()
    same: dict[str, Any] = {
        "reconciliationId": "same",
        "periodFrom": LONG_AGO.isoformat(),
        "periodTo": until,
    }
    await compared.send(extract_of(ALL), **same)
    first = await compared.ended("same")
    again = await compared.send(extract_of(ALL), **same)
    assert again == first
    other = await compared.send(extract_of(ALL[:2]), 409, **same)
    assert other["code"] == "reconciliation-conflict"
    other = await compared.send(extract_of(ALL), 409, **{**same, "madeBy": "anybody"})
    assert other["code"] == "reconciliation-conflict"
    listed = await compared.running.get("/v1/reconciliations")
    assert [each["reconciliationId"] for each in listed["items"]] == ["same"]


async def test_an_upload_that_was_cut_is_sent_again(
    compared: Comparisons, database: Database
) -> None:
    await three_payments(compared)
    until = (await compared.now()).isoformat()
    same: dict[str, Any] = {
        "reconciliationId": "cut",
        "periodFrom": LONG_AGO.isoformat(),
        "periodTo": until,
    }

    pool = await banker_pool(database.banker, size=1)

    async def is_uploading() -> bool:
        return bool(await pool.fetchval("SELECT max(attempt) FROM reconciliations"))

    async def half() -> AsyncIterator[bytes]:
        yield extract_of(ALL)[:60]
        await eventually(is_uploading)
        raise ConnectionResetError

    try:
        with pytest.raises(ConnectionResetError):
            await compared.send(half(), **same)
        assert (await compared.status("cut"))["status"] == "RECEIVING"
        # What a piece of the first one may have left behind is no part of the second.
        upload = await pool.fetchval(SQL.begin_upload, "cut")
        assert await pool.fetchval(SQL.append, "cut", upload, 0, b"nonsense\n", 10**9) == 0
        assert await pool.fetchval(SQL.append, "cut", upload, 0, b"again", 10**9) is None
        assert await pool.fetchval(SQL.append, "cut", upload, 9, b"no room", 10) is None
        await compared.send(extract_of(ALL), **same)
        assert await pool.fetchval(SQL.append, "cut", upload, 9, b"too late", 10**9) is None
    finally:
        pool.terminate()
    assert (await compared.ended("cut"))["agrees"]


async def test_what_is_refused(compared: Comparisons) -> None:
    await compared.running.wallet("alice-01")
    now = await compared.now()
    earlier: dict[str, Any] = {"periodFrom": LONG_AGO.isoformat(), "periodTo": now.isoformat()}
    refused_for: list[tuple[dict[str, Any], str]] = [
        ({**earlier, "periodTo": (now + timedelta(hours=1)).isoformat()}, "periodTo"),
        ({**earlier, "periodTo": LONG_AGO.isoformat()}, "periodTo"),
        ({"periodTo": now.isoformat()}, "periodFrom"),
        ({**earlier, "periodFrom": "0001-01-01T00:00:00+14:00"}, "periodFrom"),
        ({**earlier, "reconciliationId": "a b"}, "reconciliationId"),
        ({**earlier, "reconciliationId": "bank-2026-03-24"}, "reconciliationId"),
        ({**earlier, "accountId": "1"}, "accountId"),
        ({**earlier, "kind": "OTHER"}, "kind"),
    ]
    for query, parameter in refused_for:
        refused = await compared.send(extract_of(ALL), 422, **query)
        assert refused["errors"][0]["parameter"] == parameter, refused
    await compared.send(b"x", 415, media="text/html", **earlier)
    await compared.ask(422, kind="ECLIPSE", **earlier)
    await compared.ask(422, kind="BANK", periodFrom=LONG_AGO.isoformat())
    for scope, status in (("reader", 403), ("eclipse", 403), ("approver", 403)):
        answer = await compared.http.post(
            "/v1/reconciliations",
            json={"kind": "BANK", **earlier},
            headers=compared.running.key(scope),
        )
        assert answer.status_code == status
    answer = await compared.http.get("/v1/reconciliations/nothing")
    assert (answer.status_code, answer.json()["code"]) == (404, "reconciliation-not-found")
