"""The number of partitions changes under load: callers hear 503 for a moment, nothing else."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from functools import partial

import httpx
import pytest

from cli.servers.throwaway import temporary_folder
from ledger.database import connect_owner
from tests.acceptance.conftest import System, environment_of, exported, sov
from tests.databases import assert_books_hold
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture
async def own(servers: Servers) -> AsyncIterator[System]:
    """A system with servers of its own: the others' queues are layout 1."""
    folder = temporary_folder("sov-moved-")
    environment = environment_of(folder)
    try:
        await sov(environment, "up", "--detach")
        shown = exported(await sov(environment, "env"))
        yield System(
            url=shown["SOV_URL"],
            keys={role: shown[f"SOV_KEY_{role.upper()}"] for role in ("eclipse", "operator")},
            database_url=shown["SOV_DATABASE_URL"],
            environment=environment,
        )
    finally:
        await sov(environment, "down", "--wipe")


class Payers:
    """Pay one cent after the other, each with the same key until it is clear what became of it."""

    def __init__(self, http: httpx.AsyncClient, bank: str, wallets: list[str]) -> None:
        self._http, self._bank, self._wallets = http, bank, wallets
        self.answers: Counter[int] = Counter()
        self.paid: list[str] = []
        self.stopping = False

    async def pay(self, payer: int, numbers: Iterator[int]) -> None:
        while not self.stopping:
            key = f"paid-{next(numbers):08}"
            body = {
                "fromWalletId": self._wallets[payer % len(self._wallets)],
                "toWalletId": self._bank,
                "amount": "0.01",
                "externalUniqueId": key,
            }
            await eventually(partial(self._is_paid, body), within_s=60)
            self.paid.append(key)

    async def _is_paid(self, body: dict[str, str]) -> bool:
        try:
            answer = await self._http.post("/v1/transfers", json=body)
        except httpx.TransportError:  # a gateway that ends as its layout does
            self.answers[0] += 1
            return False
        self.answers[answer.status_code] += 1
        assert answer.status_code in (201, 202, 409, 503, 504), answer.text
        return answer.status_code in (201, 409)


async def test_repartitioning_under_load(own: System) -> None:
    async with httpx.AsyncClient(
        base_url=own.url, headers=own.headers("operator"), timeout=35
    ) as http:
        bank = await wallet(http, "bank", "SYSTEM")
        wallets = [await wallet(http, f"payer-{n}", "STANDARD") for n in range(12)]
        for number, each in enumerate(wallets):
            body = {
                "fromWalletId": bank,
                "toWalletId": each,
                "amount": "1000",
                "externalUniqueId": f"fund-{number:04}",
            }
            assert (await http.post("/v1/transfers", json=body)).status_code == 201
        payers = Payers(http, bank, wallets)
        numbers = itertools.count()
        async with asyncio.TaskGroup() as group:
            for payer in range(12):
                group.create_task(payers.pay(payer, numbers))
            printed = await own.sov("topology", "repartition", "5")
            payers.stopping = True
    assert "layout 2 with 5 partitions is in force" in printed
    assert payers.answers[503] > 0
    owner = await connect_owner(own.database_url)
    try:
        rows = await owner.fetch(
            "SELECT external_unique_id FROM transfers WHERE external_unique_id LIKE 'paid-%'"
        )
        layouts = await owner.fetchval("SELECT count(*) FROM heads WHERE layout = 2")
    finally:
        await owner.close()
    assert sorted(row["external_unique_id"] for row in rows) == sorted(payers.paid)
    assert layouts == 5
    await assert_books_hold(own.database_url)


async def wallet(http: httpx.AsyncClient, name: str, kind: str) -> str:
    body = {"externalUniqueId": f"moved-{name}", "currency": "ZAR", "type": kind}
    answer = await http.post("/v1/wallets", json=body)
    assert answer.status_code == 201, answer.text
    wallet_id: str = answer.json()["walletId"]
    return wallet_id
