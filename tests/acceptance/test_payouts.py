"""The promise to whoever is paid out: two people agree, the bank is asked once, and what the bank
cannot be asked for goes in a file that a person uploads."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.acceptance.conftest import System
from tests.polling import eventually


class Desk:
    """`./sov payouts`, as people use it."""

    def __init__(self, system: System) -> None:
        self._system = system

    async def play(self, *arguments: str) -> str:
        return await self._system.sov("bank", "play", *arguments)

    async def create(self, amount: str, number: str) -> str:
        """The id of a payout."""
        payee = ("--name", "Thandi Nkosi", "--account-number", number, "--branch-code", "580105")
        asked = ("--wallet", "payout-wallet", "--amount", amount, "--their-reference", "thanks")
        said = await self._system.sov("payouts", "create", *asked, *payee)
        assert "AWAITING_APPROVAL (1 to agree)" in said
        return said.split()[0]

    async def say(self, word: str, *arguments: str) -> str:
        return await self._system.sov("payouts", word, *arguments)

    async def show(self, payout_id: str) -> Any:
        return json.loads(await self.say("show", payout_id, "--json"))

    async def becomes(self, payout_id: str, status: str) -> Any:
        async def has_become() -> Any:
            await self._system.sov("bank", "fetch")
            found = await self.show(payout_id)
            return found if found["status"] == status else None

        return await eventually(has_become, 60)


async def test_money_reaches_bank_accounts(system: System, tmp_path: Path) -> None:
    desk = Desk(system)
    headers = system.headers("eclipse")
    async with httpx.AsyncClient(base_url=system.url, headers=headers, timeout=35) as http:
        body = {"externalUniqueId": "payout-wallet", "currency": "ZAR"}
        wallet = (await http.post("/v1/wallets", json=body)).json()

        async def balance() -> tuple[Decimal, Decimal]:
            found = (await http.get(f"/v1/wallets/{wallet['walletId']}/balance")).json()
            return Decimal(found["currentBalance"]), Decimal(found["availableBalance"])

        async def has(current: str, available: str) -> bool:
            return await balance() == (Decimal(current), Decimal(available))

        async def is_followed() -> bool:
            return bool((await http.get("/v1/bank/accounts")).json()["items"])

        await eventually(is_followed, 60)
        await desk.play("credit", "500.00", wallet["reference"])
        await system.sov("bank", "fetch")
        await eventually(lambda: has("500", "500"), 30)

        # Somebody whom the bank knows.
        await desk.play("beneficiary", "Thandi Nkosi", "62000000042", "--paid", "2026-01-05")
        known = await desk.create("120.50", "62000000042")
        assert await has("500", "379.50")
        await desk.say("approve", known)
        paid = await desk.becomes(known, "SETTLED")
        assert paid["paymentReference"]
        assert await has("379.50", "379.50")

        # Somebody whom it does not.
        new = await desk.create("79.50", "62000000043")
        await desk.say("approve", new, "--reason", "seen")
        await desk.becomes(new, "AWAITING_BENEFICIARY")
        assert "./sov payouts resume" in await desk.say("show", new)
        file = tmp_path / "batch.xml"
        await desk.say("export", "--output", str(file))
        exported = await desk.becomes(new, "AWAITING_BANK")
        assert exported["myReference"] in file.read_text()
        again = await desk.say("export", "--again", exported["exportId"])
        assert again == file.read_text()
        assert exported["exportId"] in await desk.say("exports")
        # The bank does not take it; two people are sure.
        await desk.say("cancel", new, "--reason", "the bank refused the file")
        assert "approve --giving-up" in await desk.say("show", new)
        assert await has("379.50", "300.00")
        assert "REJECTED" in await desk.say("approve", new, "--giving-up")
        await eventually(lambda: has("379.50", "379.50"), 60)
        listed = await desk.say("list", "--json")
        statuses = {p["payoutId"]: p["status"] for p in map(json.loads, listed.splitlines())}
        assert (statuses[known], statuses[new]) == ("SETTLED", "REJECTED")
