"""An extract of Eclipse's against the books."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from datetime import datetime, timedelta

import pytest

from tests.databases import Database
from tests.integration.comparisons import Comparisons, comparisons, extract_of, reconciling
from tests.integration.extracts import ALL, FUNDS, LONG_AGO, line, three_payments
from tests.integration.ledger_driver import transfer
from tests.integration.processes import Broker


@pytest.fixture
async def compared(database: Database, broker: Broker) -> AsyncIterator[Comparisons]:
    async with comparisons(database, broker) as found, reconciling(database, broker.url):
        yield found


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
