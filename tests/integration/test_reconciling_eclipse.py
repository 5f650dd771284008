"""An extract of Eclipse's against the books."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from bank.sql import RECONCILIATIONS as SQL
from ledger.database import banker_pool
from tests.databases import Database
from tests.integration.comparisons import Comparisons, comparisons, extract_of, reconciling
from tests.integration.ledger_driver import transfer
from tests.integration.processes import Broker

LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00+02:00")


@pytest.fixture
async def compared(database: Database, broker: Broker) -> AsyncIterator[Comparisons]:
    async with comparisons(database, broker) as found, reconciling(database, broker.url):
        yield found


async def three_payments(compared: Comparisons) -> dict[str, Any]:
    running = compared.running
    await running.wallet("alice-01", "100")
    await running.wallet("bob-0001")
    posted = {}
    for number, amount in enumerate(("10.00", "20.00", "30.00"), 1):
        key = f"order-{number:04}"
        posted[key] = await running.paid("alice-01", "bob-0001", amount, key)
    return posted


def line(key: str, amount: str, status: str = "SUCCESSFUL", **more: str) -> tuple[str, ...]:
    sides = (more.get("source", "alice-01"), more.get("target", "bob-0001"))
    return (key, *sides, amount, more.get("time", ""), status)


FUNDS = line("fund alice-01", "100.00", source="system-zar", target="alice-01")
ALL = (
    FUNDS,
    line("order-0001", "10.00"),
    line("order-0002", "20.0"),
    line("order-0003", "30"),
)


async def test_both_sides_agree(compared: Comparisons) -> None:
    await three_payments(compared)
    taken = await compared.send(
        gzip.compress(extract_of(ALL)),
        encoding="gzip",
        reconciliationId="eclipse-1",
        periodFrom=LONG_AGO.isoformat(),
        periodTo=(await compared.now()).isoformat(),
    )
    assert (taken["reconciliationId"], taken["madeBy"]) == ("eclipse-1", "eclipse")
    ended = await compared.ended("eclipse-1")
    assert (ended["status"], ended["agrees"], ended["differences"]) == ("DONE", True, 0), ended
    report = await compared.report("eclipse-1")
    assert report["transfers"] == 4
    assert report["extract"]["states"]["DONE"] == 4
    (zar,) = report["currencies"]
    assert [(term["count"], term["amount"]) for term in zar["terms"]] == [
        (4, "160.00"),
        (4, "160.00"),
    ]
    assert "both sides agree" in await compared.text("eclipse-1")


async def test_every_difference_is_found(compared: Comparisons) -> None:
    posted = await three_payments(compared)
    for number in range(4, 9):
        await compared.running.paid("alice-01", "bob-0001", "1.00", f"order-{number:04}")
    gone = await compared.running.paid("alice-01", "bob-0001", "2.00", "order-0009")
    back = {"externalUniqueId": "order-0009-back"}
    await compared.running.post(f"/v1/transfers/{gone['transferId']}/reversals", back)
    lines = [
        FUNDS,
        line("order-0001", "10.01"),
        line("order-0002", "20.00", target="nobody-01"),
        line("order-0003", "30.00", "FAILED"),
        # order-0004 is not there
        line("order-0005", "1.00", "pending"),
        line("order-0006", "1.00", "Reversed"),
        line("order-0007", "1.00"),
        line("order-0007", "1.00"),
        line("order-0008", "1.00", "SUCCESSFUL", source="bob-0001", target="alice-01"),
        line("order-0009", "2.00", "REVERSED"),
        line("order-0009-back", "2.00", source="bob-0001", target="alice-01"),
        line("order-0010", "5.00"),
        line("order-0011", "5.00", "FAILED"),
        line("order-0012", "5.00", "PENDING"),
        line("order-0013", "five"),
        line("order-0014", "5.00", "perhaps"),
    ]
    await compared.send(
        extract_of(lines),
        reconciliationId="eclipse-2",
        periodFrom=LONG_AGO.isoformat(),
        periodTo=(await compared.now()).isoformat(),
    )
    ended = await compared.ended("eclipse-2")
    assert (ended["status"], ended["agrees"]) == ("DONE", False), ended
    assert await compared.found("eclipse-2") == {
        ("AMOUNT", "order-0001"),
        ("WALLET", "order-0002"),
        ("STATUS", "order-0003"),
        ("MISSING_THERE", "order-0004"),
        ("STATUS", "order-0005"),
        ("STATUS", "order-0006"),
        ("LISTED_TWICE", "order-0007"),
        ("WALLET", "order-0008"),
        ("MISSING_HERE", "order-0010"),
        ("UNREADABLE", "order-0013"),
        ("UNREADABLE", "order-0014"),
    }
    report = await compared.report("eclipse-2")
    assert {each["unexplained"] for each in report["currencies"]} == {"0.00"}
    (amount,) = await compared.differences("eclipse-2", kind="AMOUNT")
    assert amount["here"]["amount"] == "10.00"
    assert amount["here"]["fromExternalUniqueId"] == "alice-01"
    assert amount["there"]["amount"] == "10.01"
    assert amount["transferId"] == posted["order-0001"]["transferId"]
    assert amount["line"] == 3
    text = await compared.text("eclipse-2")
    for word in ("MISSING_HERE", "order-0010", "->", "less what never moved here"):
        assert word in text
    first = await compared.running.get(
        "/v1/reconciliations/eclipse-2/differences", limit=4, kind="STATUS"
    )
    assert (len(first["items"]), first["nextCursor"]) == (3, None)
    pages = []
    cursor: dict[str, str] = {}
    while True:
        page = await compared.running.get(
            "/v1/reconciliations/eclipse-2/differences", limit=4, **cursor
        )
        pages.append(len(page["items"]))
        if page["nextCursor"] is None:
            break
        cursor = {"cursor": page["nextCursor"]}
    assert pages == [4, 4, 3]


async def test_the_period_is_half_open(compared: Comparisons) -> None:
    posted = await three_payments(compared)
    second, third = (datetime.fromisoformat(posted[f"order-{n:04}"]["created"]) for n in (2, 3))
    await compared.now()
    for name, start, stop, lines in (
        ("from", second, third, [line("order-0002", "20.00")]),
        ("none", third + timedelta(microseconds=1), await compared.now(), []),
    ):
        await compared.send(
            extract_of(lines),
            reconciliationId=f"half-{name}",
            periodFrom=start.isoformat(),
            periodTo=stop.isoformat(),
        )
        ended = await compared.ended(f"half-{name}")
        assert ended["agrees"], await compared.text(f"half-{name}")
    # What moved, but outside the period, is not missing; and the sums say where it is.
    await compared.send(
        extract_of([line("order-0001", "10.00"), line("order-0002", "20.00")]),
        reconciliationId="half-more",
        periodFrom=second.isoformat(),
        periodTo=third.isoformat(),
    )
    assert (await compared.ended("half-more"))["agrees"]
    (zar,) = (await compared.report("half-more"))["currencies"]
    assert {term["term"]: term["amount"] for term in zar["terms"]} == {
        "done, says the extract": "30.00",
        "less what moved here outside the period, or for others": "-10.00",
        "moved here in the period": "20.00",
    }


async def test_whose_transfers_are_expected(compared: Comparisons) -> None:
    """Members of groups are; what others asked for only where that is said."""
    running = compared.running
    await three_payments(compared)
    group = {
        "transfers": [
            {
                "fromExternalUniqueId": "alice-01",
                "toExternalUniqueId": "bob-0001",
                "amount": "1.00",
                "externalUniqueId": f"group-{number:04}",
            }
            for number in range(2)
        ]
    }
    made = await running.post("/v1/transfer-groups", group, **running.key("eclipse"))
    assert made.status_code == 201, made.text
    await compared.as_somebody_else(transfer("alice-01", "bob-0001", "1.00", "other-0001"))
    until = (await compared.now()).isoformat()
    for who, more in (("eclipse", set()), ("anybody", {("MISSING_THERE", "other-0001")})):
        await compared.send(
            extract_of(ALL),
            reconciliationId=f"who-{who}",
            periodFrom=LONG_AGO.isoformat(),
            periodTo=until,
            madeBy=who,
        )
        await compared.ended(f"who-{who}")
        assert await compared.found(f"who-{who}") == {
            ("MISSING_THERE", "group-0000"),
            ("MISSING_THERE", "group-0001"),
            *more,
        }


async def test_ndjson_and_wallets_by_id(compared: Comparisons) -> None:
    await three_payments(compared)
    alice = (await compared.running.get("/v1/wallets", externalUniqueId="alice-01"))["items"][0]
    lines = [
        {
            "externalUniqueId": "order-0001",
            "fromWalletId": alice["walletId"],
            "toExternalUniqueId": "bob-0001",
            "amount": 1e1,
            "currency": "ZAR",
            "status": "COMPLETED",
            "time": "2026-03-24T10:00:00+02:00",
        },
        {"externalUniqueId": "order-0002", "amount": 3, "status": "COMPLETED"},
    ]
    await compared.send(
        "\n".join(map(json.dumps, lines)).encode(),
        media="application/x-ndjson",
        reconciliationId="ndjson",
        periodFrom=LONG_AGO.isoformat(),
        periodTo=(await compared.now()).isoformat(),
    )
    await compared.ended("ndjson")
    assert await compared.found("ndjson") == {
        ("UNREADABLE", "order-0002"),
        *(("MISSING_THERE", key) for key in ("fund alice-01", "order-0002", "order-0003")),
    }


@pytest.mark.parametrize(
    ("extract", "query", "why"),
    [
        (b"", {}, "no header"),
        (b"amount,status\n", {}, "externalUniqueId"),
        (b"foo\n", {}, "'foo'"),
        (b"\xff\xfef\x00", {}, "UTF-16"),
        (b"not gzip", {"encoding": "gzip"}, "not gzip"),
        (gzip.compress(b"amount" * 100, mtime=0)[:-9], {"encoding": "gzip"}, "cut short"),
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

    async def half() -> AsyncIterator[bytes]:
        yield extract_of(ALL)[:60]
        raise ConnectionResetError

    with pytest.raises(ConnectionResetError):
        await compared.send(half(), **same)
    assert (await compared.status("cut"))["status"] == "RECEIVING"
    # What a piece of the first one may have left behind is no part of the second.
    pool = await banker_pool(database.banker, size=1)
    try:
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
