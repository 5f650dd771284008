"""A town for the Eclipse adapter: a customer with R1000, somebody to pay, and ways to interfere."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import asyncpg
import httpx

from examples.eclipse_adapter import StoreOfValue
from examples.eclipse_errors import Json
from examples.eclipse_retries import Patience
from ledger.database import connect_owner
from tests.acceptance.conftest import System

RAND: Final = Decimal("1000.00")
QUICK: Final = Patience(first_pause_s=0.02, longest_pause_s=0.1)


@dataclass(slots=True)
class Town:
    """``wallets``: customer and friend, and bank and atm on the other side of money."""

    store: StoreOfValue
    wallets: dict[str, str]
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    def key(self, name: str) -> str:
        return f"{self.run}-{name}"

    async def pay(self, to: str, name: str, store: StoreOfValue | None = None, **more: Any) -> Json:
        """R1000 from the customer, with the key that belongs to ``name``."""
        asked = {
            "from_wallet_id": self.wallets["customer"],
            "to_wallet_id": self.wallets[to],
            "amount": RAND,
            "external_unique_id": self.key(name),
            "description": name,
        }
        return await (store or self.store).transfer(**{**asked, **more})

    async def hold(self, session: str, expires: datetime | None = None) -> Json:
        return await self.store.reserve(
            wallet_id=self.wallets["customer"],
            amount=RAND,
            session_id=self.key(session),
            expires=expires or datetime.now(UTC) + timedelta(days=2),
            external_unique_id=self.key(f"{session}-hold"),
            description="ATM withdrawal",
        )

    async def balances(self, name: str) -> tuple[str, str]:
        """Current and available."""
        balance = await self.store.balance(self.wallets[name])
        return balance["currentBalance"], balance["availableBalance"]

    async def movements(self, name: str) -> list[tuple[str, str]]:
        """Key and amount of everything that ever moved on the wallet."""
        now = datetime.now(UTC)
        history = await self.store.history(
            self.wallets[name],
            date_from_incl=now - timedelta(days=1),
            date_to_excl=now + timedelta(days=1),
        )
        return [(entry["externalUniqueId"], entry["amount"]) for entry in history.entries]


@asynccontextmanager
async def connected(
    system: System, url: str = "", role: str = "eclipse", **hooks: Any
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=url or system.url, headers=system.headers(role), event_hooks=hooks
    ) as client:
        yield client


@asynccontextmanager
async def new_town(system: System) -> AsyncIterator[Town]:
    async with connected(system) as client, connected(system, role="operator") as operator:
        town = Town(StoreOfValue(client, QUICK), {})
        for name in ("customer", "friend"):
            wallet = await town.store.create_wallet(
                external_unique_id=town.key(name), currency="ZAR", name=name
            )
            town.wallets[name] = wallet["walletId"]
        for name in ("bank", "atm"):
            town.wallets[name] = await open_system_wallet(operator, town.key(name))
        top_up = {"from_wallet_id": town.wallets["bank"]}
        await town.pay("customer", "top-up", StoreOfValue(operator), **top_up)
        yield town


async def open_system_wallet(operator: httpx.AsyncClient, key: str, currency: str = "ZAR") -> str:
    body = {"externalUniqueId": key, "currency": currency, "type": "SYSTEM"}
    response = await operator.post("/v1/wallets", json=body)
    assert response.status_code == 201, response.text
    wallet_id: str = response.json()["walletId"]
    return wallet_id


class Held:
    """A wallet's row, locked from outside: what the consumer has begun with it cannot end."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def is_waited_for(self) -> bool:
        asked = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        return bool(await self._connection.fetchval(asked))

    async def let_go(self) -> None:
        await self._connection.execute("ROLLBACK")


@asynccontextmanager
async def held(system: System, wallet_id: str) -> AsyncIterator[Held]:
    connection = await connect_owner(system.database_url)
    try:
        await connection.execute("BEGIN")
        await connection.execute(
            "SELECT FROM wallets WHERE wallet_id = $1::uuid FOR UPDATE", wallet_id
        )
        yield Held(connection)
    finally:
        await connection.close()


class Seen:
    """The answers that an adapter got, in order."""

    def __init__(self) -> None:
        self._answers: list[tuple[str, int, Json]] = []

    async def note(self, response: httpx.Response) -> None:
        await response.aread()
        body = response.json() if response.content else {}
        self._answers.append((response.request.method, response.status_code, body))

    def statuses(self) -> list[int]:
        """Of the calls themselves."""
        return [status for method, status, _ in self._answers if method != "GET"]

    def words(self) -> list[str]:
        """What ``GET /v1/commands/…`` said."""
        return [body["status"] for method, _, body in self._answers if method == "GET"]
