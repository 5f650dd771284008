"""An operator finds what was parked, and is done with it: all by ``./sov dead-letters``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ledger.database import connect_owner
from tests.acceptance.conftest import System, environment_of, sov

_COMMAND = "dead-letters"


class Shop:
    """Takes payments, and breaks on those that are called poison until it is mended."""

    def __init__(self, system: System, http: httpx.AsyncClient) -> None:
        self._system, self._http = system, http

    @asynccontextmanager
    async def broken(self) -> AsyncIterator[None]:
        check = "description IS DISTINCT FROM 'poison'"
        await self._alter(f"ADD CONSTRAINT defect CHECK ({check}) NOT VALID")
        yield
        await self._alter("DROP CONSTRAINT defect")

    async def opened(self) -> None:
        for name, kind in (("letters-bank", "SYSTEM"), ("letters-shop", "STANDARD")):
            body = {"externalUniqueId": name, "currency": "ZAR", "type": kind}
            await self._http.post("/v1/wallets", json=body)

    async def pay(self, key: str) -> dict[str, Any]:
        body = {
            "fromExternalUniqueId": "letters-bank",
            "toExternalUniqueId": "letters-shop",
            "amount": "10.00",
            "externalUniqueId": key,
            "description": "poison",
        }
        answer: dict[str, Any] = (await self._http.post("/v1/transfers", json=body)).json()
        return answer

    async def parked(self, key: str) -> str:
        answer = await self.pay(key)
        assert answer["code"] == "internal", answer
        letter_id: str = answer["deadLetterId"]
        return letter_id

    async def paid(self, key: str) -> bool:
        found = await self._http.get("/v1/transfers", params={"externalUniqueId": key})
        return bool(found.json()["items"])

    async def _alter(self, change: str) -> None:
        connection = await connect_owner(self._system.database_url)
        try:
            await connection.execute(f"ALTER TABLE transfers {change}")
        finally:
            await connection.close()


@pytest.fixture
async def shop(system: System) -> AsyncIterator[Shop]:
    headers = system.headers("operator")
    async with httpx.AsyncClient(base_url=system.url, headers=headers, timeout=30) as http:
        opened = Shop(system, http)
        await opened.opened()
        yield opened


async def test_a_parked_payment_is_found_replayed_once_and_kept(system: System, shop: Shop) -> None:
    async with shop.broken():
        letter_id = await shop.parked("letters-once")
    listed = await system.sov(_COMMAND, "list")
    assert letter_id in listed
    assert "CheckViolationError" in listed
    assert "1 open, 0 resolved" in listed
    shown = await system.sov(_COMMAND, "show", letter_id)
    assert "letters-once" in shown
    assert "Traceback" in shown

    checked = await system.sov(_COMMAND, "replay", letter_id, "--dry-run")
    assert "would succeed now" in checked
    assert not await shop.paid("letters-once")
    assert "replayed: 201" in await system.sov(_COMMAND, "replay", letter_id)
    assert await shop.paid("letters-once")
    await system.sov(_COMMAND, "replay", letter_id, expect=1)
    await system.sov(_COMMAND, "discard", letter_id, "--reason", "too late", expect=1)
    assert letter_id not in await system.sov(_COMMAND, "list")
    (kept,) = [
        json.loads(line)
        for line in (await system.sov(_COMMAND, "list", "--all", "--json")).splitlines()
        if letter_id in line
    ]
    assert (kept["status"], kept["resolution"]["actorName"]) == ("REPLAYED", "operator")


async def test_all_of_a_reason_are_replayed_and_refusals_are_told(
    system: System, shop: Shop
) -> None:
    async with shop.broken():
        letters = [await shop.parked(f"letters-many-{n}") for n in range(3)]
        whole = (await system.sov(_COMMAND, "show", letters[0])).partition("\n}")[0] + "}"
        by_reason = (_COMMAND, "replay", "--reason", json.loads(whole)["reason"])
        # Not mended yet: the first is parked again, and the others stay as they are.
        await system.sov(*by_reason, expect=1)
    again = await system.sov(_COMMAND, "list", "--json")
    open_letters = [json.loads(line) for line in again.splitlines()]
    assert open_letters[0]["replayOf"] == letters[0]
    assert [letter["deadLetterId"] for letter in open_letters[1:]] == [letters[2], letters[1]]
    # One was made again by its caller meanwhile: that replay is refused, and resolved.
    assert (await shop.pay("letters-many-1"))["status"] == "POSTED"
    told = await system.sov(*by_reason, expect=3)
    assert told.count("replayed: 201") == 2
    assert "replayed and refused: 409 duplicate-transfer" in told
    assert "no open dead letters" in await system.sov(_COMMAND, "list")
    await system.sov(*by_reason, expect=1)


async def test_a_discard_is_kept_with_its_reason(system: System, shop: Shop) -> None:
    async with shop.broken():
        letter_id = await shop.parked("letters-never")
    await system.sov(_COMMAND, "discard", letter_id, expect=2)
    await system.sov(_COMMAND, "discard", letter_id, "--reason", "paid by hand")
    assert '"reason": "paid by hand"' in await system.sov(_COMMAND, "show", letter_id)
    await system.sov(_COMMAND, "replay", letter_id, expect=1)
    assert not await shop.paid("letters-never")


async def test_it_takes_an_operators_key_and_a_system(system: System, tmp_path: Path) -> None:
    other = {"SOV_URL": system.url, "SOV_KEY_OPERATOR": system.keys["reader"]}
    await sov({**system.environment, **other}, _COMMAND, "list", expect=1)
    mine = {**other, "SOV_KEY_OPERATOR": system.keys["operator"]}
    elsewhere = environment_of(tmp_path)
    await sov({**elsewhere, **mine}, _COMMAND, "list")
    await sov(elsewhere, _COMMAND, "list", expect=1)
    await sov({**elsewhere, **mine, "SOV_URL": "http://127.0.0.1:9"}, _COMMAND, "list", expect=1)
    await sov(system.environment, _COMMAND, "replay", expect=2)
