"""What can be read over HTTP: lists in pages, history in parts, balances of the past."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from gateway import schemas
from tests.integration import gateways
from tests.integration.gateways import NOBODY, Running, code, in_an_hour
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture(scope="module")
async def town(servers: Servers, template: str) -> AsyncIterator[Running]:
    async with gateways.town(servers, template) as running:
        yield running


async def test_wallets_are_found_by_name_and_listed_in_pages(town: Running) -> None:
    ids = [await town.wallet(f"page-{n:02}") for n in range(5)]
    named = await town.get("/v1/wallets", externalUniqueId="page-03")
    assert [w["walletId"] for w in named["items"]] == [ids[3]]
    reference = named["items"][0]["reference"]
    typed = f" {reference[:4].lower()} {reference[4:]}"
    assert (await town.get("/v1/wallets", reference=typed))["items"] == named["items"]
    mixed = await town.get("/v1/wallets", externalUniqueId="page-02", reference=reference)
    assert mixed == {"items": [], "nextCursor": None}

    seen, query = [], {"limit": 2}
    while True:
        page = await town.get("/v1/wallets", **query)
        seen += [w["walletId"] for w in page["items"]]
        if page["nextCursor"] is None:
            break
        query["cursor"] = page["nextCursor"]
    assert len(seen) == len(set(seen))
    assert set(ids) <= set(seen)


async def history(town: Running, wallet_id: str, **query: Any) -> list[int]:
    """The sequences of all pages."""
    seen: list[int] = []
    while True:
        page = await town.get(f"/v1/wallets/{wallet_id}/transactions", **query)
        schemas.EntryPage.model_validate(page)
        seen += [entry["sequence"] for entry in page["items"]]
        if page["nextCursor"] is None:
            return seen
        query["cursor"] = page["nextCursor"]


async def test_history_in_every_order_and_part(town: Running) -> None:
    wallet_id = await town.wallet("story-a", "100")
    await town.wallet("story-b")
    for n in range(9):
        await town.paid("story-a", "story-b", "1", f"story-{n:04}", description=f"n{n}")
    entries = (await town.get(f"/v1/wallets/{wallet_id}/transactions"))["items"]
    assert [e["sequence"] for e in entries] == list(range(1, 11))
    assert [e["amount"] for e in entries] == ["100.00"] + ["-1.00"] * 9
    assert [e["balance"] for e in entries][-1] == "91.00"

    def ask(**query: Any) -> Any:
        return history(town, wallet_id, limit=3, **query)

    assert await ask() == list(range(1, 11))
    assert await ask(order="desc") == list(range(10, 0, -1))
    assert await ask(offset=2) == list(range(3, 11))
    assert await ask(offset=2, order="desc") == list(range(8, 0, -1))
    assert await ask(afterSequence=7) == [8, 9, 10]
    assert await ask(afterSequence=7, order="desc", offset=1) == [9, 8]
    assert await ask(offset=50) == []
    third, sixth = entries[2]["created"], entries[5]["created"]
    assert await ask(dateFromIncl=third, dateToExcl=sixth) == [3, 4, 5]
    assert await ask(dateFromIncl=third, dateToExcl=sixth, order="desc") == [5, 4, 3]
    assert await ask(dateFromIncl=third, dateToExcl=third) == []
    assert await ask(dateFromIncl=sixth, afterSequence=8) == [9, 10]


async def test_cursors_belong_to_their_question(town: Running) -> None:
    a, b = await town.wallet("cursor-a", "100"), await town.wallet("cursor-b")
    await town.paid("cursor-a", "cursor-b", "1", "cursor-key")
    path = f"/v1/wallets/{a}/transactions"
    cursor = (await town.get(path, limit=1))["nextCursor"]
    for other in (
        f"{path}?cursor={cursor}&order=desc",
        f"{path}?cursor={cursor}&afterSequence=1",
        f"/v1/wallets/{b}/transactions?cursor={cursor}",
        f"/v1/wallets?cursor={cursor}",
    ):
        assert code(await town.http.get(other)) == (422, "invalid-request")
    assert len((await town.get(path, limit=5, cursor=cursor))["items"]) == 1


async def test_balances_of_the_past(town: Running) -> None:
    wallet_id = await town.wallet("past-a", "100")
    await town.wallet("past-b")
    spent = await town.paid("past-a", "past-b", "40", "past-key-1")
    path, at = f"/v1/wallets/{wallet_id}/balance", spent["created"]

    async def known() -> bool:
        page = await town.get(f"/v1/wallets/{wallet_id}/transactions", limit=1)
        return bool(page["completeUntil"] > at)

    await eventually(known)
    then = await town.get(path, at=at)
    schemas.Balance.model_validate(then)
    assert (then["currentBalance"], then["asOf"]) == ("60.00", at)
    assert then["availableBalance"] is then["reservations"] is then["minimumBalance"] is None
    before = datetime.fromisoformat(at) - timedelta(microseconds=1)
    assert (await town.get(path, at=before.isoformat()))["currentBalance"] == "100.00"
    assert (await town.get(path, at="2020-01-01T00:00:00Z"))["currentBalance"] == "0.00"
    beyond = await town.http.get(path, params={"at": in_an_hour()})
    assert beyond.json()["errors"][0]["parameter"] == "at"
    assert code(await town.http.get(path.replace(wallet_id, NOBODY), params={"at": at}))[0] == 404


async def test_metrics_and_documentation(town: Running) -> None:
    await town.http.get(f"/v1/wallets/{NOBODY}/balance")
    text = (await town.http.get("/metrics")).text
    labels = 'code="wallet-not-found",method="GET",route="/v1/wallets/{walletId}/balance"'
    assert f'sov_http_requests_total{{{labels},status="404"}}' in text
    assert NOBODY not in text
    assert (await town.http.get("/metrics", headers={"Authorization": ""})).status_code == 401
    assert (await town.http.get("/docs", headers={"Authorization": ""})).status_code == 200
    document = (await town.http.get("/openapi.json", headers={"Authorization": ""})).json()
    assert document["openapi"].startswith("3.1")
