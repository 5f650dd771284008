"""The promise to whoever watches the bank account: a deposit that nobody can attribute is not lost,
and no single person can give it away."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import httpx

from tests.acceptance.conftest import System, sov
from tests.polling import eventually


async def lines(system: System, *arguments: str) -> list[Any]:
    printed = await sov(system.environment, *arguments, "--json")
    return [json.loads(line) for line in printed.splitlines()]


async def test_a_sloppy_deposit_and_one_that_nobody_can_attribute(system: System) -> None:
    environment = system.environment
    headers = {"Authorization": f"Bearer {system.keys['eclipse']}"}
    async with httpx.AsyncClient(base_url=system.url, headers=headers, timeout=35) as http:
        made = await http.post(
            "/v1/wallets", json={"externalUniqueId": "deposit-wallet", "currency": "ZAR"}
        )
        assert made.status_code == 201, made.text
        wallet_id, reference = made.json()["walletId"], made.json()["reference"]

        async def balance() -> Decimal:
            found = await http.get(f"/v1/wallets/{wallet_id}/balance")
            return Decimal(found.json()["currentBalance"])

        async def booked(amount: str) -> bool:
            return await balance() == Decimal(amount)

        async def followed() -> bool:
            return bool((await http.get("/v1/bank/accounts")).json()["items"])

        await eventually(followed, 60)
        sloppy = f"Rent {reference[:4]}-{reference[4:].lower()} thx"
        await sov(environment, "bank", "play", "credit", "100.00", sloppy)
        await sov(environment, "bank", "play", "credit", "23.45", "hello from nobody")
        assert "2 new" in await sov(environment, "bank", "fetch")
        await eventually(lambda: booked("100"), 30)

        async def suspended() -> list[Any]:
            found = await lines(system, "suspense", "list")
            return [each for each in found if each["description"] == "hello from nobody"]

        (item,) = await eventually(suspended, 30)
        share = f"{wallet_id}=23.45"
        said = await sov(
            environment, "suspense", "allocate", item["rowId"], share, "--reason", "seen"
        )
        action = said.split()[0]
        assert "AWAITING_APPROVAL" in said
        assert await balance() == Decimal(100)
        await sov(environment, "suspense", "approve", action)
        await eventually(lambda: booked("123.45"), 30)
        assert await suspended() == []
        shown = await lines(system, "bank", "rows")
        assert {"100.00", "23.45"} <= {each["amount"] for each in shown}
