"""`./sov reconcile`: whether the books agree with Eclipse and with the bank."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from tests.acceptance.conftest import System, environment_of, sov
from tests.polling import eventually

HEADER = "externalUniqueId,fromExternalUniqueId,toExternalUniqueId,amount,status"


@pytest.fixture
def desk(system: System, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who reconciles."""
    return environment_of(
        tmp_path / "nowhere", SOV_URL=system.url, SOV_KEY_BANK=system.keys["bank"]
    )


async def moment(system: System) -> str:
    """By the books' clock."""
    async with httpx.AsyncClient(base_url=system.url, headers=system.headers()) as http:
        wallet = (await http.get("/v1/wallets", params={"limit": 1})).json()["items"][0]
        shown = (await http.get(f"/v1/wallets/{wallet['walletId']}/balance")).json()
    return str(shown["asOf"])


async def two_payments(system: System) -> tuple[str, str]:
    """Answers the period they are in."""
    async with httpx.AsyncClient(
        base_url=system.url, headers=system.headers("operator"), timeout=30
    ) as http:
        for key, kind in (("reconciled-bank", "SYSTEM"), ("reconciled-shop", "STANDARD")):
            body = {"externalUniqueId": key, "currency": "ZAR", "type": kind}
            assert (await http.post("/v1/wallets", json=body)).status_code == 201
        begun = await moment(system)
        for number in (1, 2):
            paid = await http.post(
                "/v1/transfers",
                json={
                    "fromExternalUniqueId": "reconciled-bank",
                    "toExternalUniqueId": "reconciled-shop",
                    "amount": "10.00",
                    "externalUniqueId": f"reconciled-{number}",
                },
                headers=system.headers("eclipse"),
            )
            assert paid.status_code == 201, paid.text
    return begun, await moment(system)


async def test_an_extract_of_eclipses(system: System, desk: dict[str, str], tmp_path: Path) -> None:
    start, stop = await two_payments(system)
    line = "reconciled-{},reconciled-bank,reconciled-shop,{},SUCCESSFUL"
    file = tmp_path / "extract.csv"
    file.write_text("\n".join([HEADER, line.format(1, "10.00"), line.format(2, "10")]))
    period = ("--from", start, "--to", stop)
    said = await sov(desk, "reconcile", "eclipse", str(file), *period, "--id", "agreed")
    assert "both sides agree" in said
    file.write_text("\n".join([HEADER, line.format(1, "11.00"), line.format(3, "1.00")]))
    said = await sov(desk, "reconcile", "eclipse", str(file), *period, "--id", "apart", expect=3)
    for word in ("3 differences", "AMOUNT 1", "MISSING_HERE 1", "MISSING_THERE 1", "-> "):
        assert word in said
    lines = (await sov(desk, "reconcile", "differences", "apart")).splitlines()
    assert {json.loads(each)["externalUniqueId"] for each in lines} == {
        f"reconciled-{number}" for number in (1, 2, 3)
    }
    report = json.loads(await sov(desk, "reconcile", "report", "apart", "--json"))
    assert report["agrees"] is False
    assert "apart  ECLIPSE" in await sov(desk, "reconcile", "status", "apart", expect=3)
    listed = (await sov(desk, "reconcile", "list", "--limit", "2")).splitlines()
    assert [each.split()[0] for each in listed] == ["apart", "agreed"]
    file.write_text("nonsense")
    await sov(desk, "reconcile", "eclipse", str(file), *period, expect=1)
    await sov(desk, "reconcile", "eclipse", str(file), "--from", start, expect=2)
    await sov(desk, "reconcile", "status", "nothing-like-it", expect=1)


async def test_the_bank(system: System, desk: dict[str, str]) -> None:
    async with httpx.AsyncClient(base_url=system.url, headers=system.headers("reader")) as http:

        async def followed() -> bool:
            return bool((await http.get("/v1/bank/accounts")).json()["items"])

        await eventually(followed, 60)
    stop = await moment(system)
    start = datetime.fromisoformat(stop).replace(year=2020, day=1).isoformat()
    said = await sov(desk, "reconcile", "bank", "--from", start, "--to", stop, "--id", "tied")
    for word in ("both sides agree", "bank balance at its last posted row", "Owed by all banks"):
        assert word in said
    assert (await sov(desk, "reconcile", "bank", "--day", "2999-01-01", expect=1)) == ""
    # Nothing agrees before it was compared, and the statement of now has to be fetched first.
    stop = await moment(system)
    period = ("--from", start, "--to", stop, "--no-wait", "--id", "later")
    assert (await sov(desk, "reconcile", "bank", *period, expect=4)).strip() == "later"
