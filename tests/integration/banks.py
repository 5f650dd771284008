"""The bank process, a consumer, a gateway and the simulated bank, in the test's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from bank.process import Bank
from ledger.database import connect_owner
from tests import databases
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.processes import Broker, consuming, deployment_of
from tests.integration.simulated_bank import Play, simulated
from tests.polling import eventually, until
from tests.servers import Servers
from topology.settings import Settings


def bank_settings(database: Database, amqp_url: str, play: Play | None, **more: Any) -> Settings:
    """Follows the simulated bank from long ago on; the days that its clock is ahead included."""
    access = {}
    if play is not None:
        known = play.access
        access = {
            "bank_api_url": known.url,
            "bank_client_id": known.client_id,
            "bank_client_secret": known.client_secret,
            "bank_api_key": known.api_key,
        }
    given: dict[str, Any] = {
        "database_url_banker": database.banker,
        "amqp_url_gateway": amqp_url,
        "bank_followed_from": "2020-01-01",
        "bank_days_ahead": 31,
        **access,
        **more,
    }
    return Settings(**given)


@asynccontextmanager
async def banking(
    database: Database, broker: Broker, play: Play | None, **more: Any
) -> AsyncIterator[Bank]:
    """The process's own work; stopped in the middle of whatever it does at the end."""
    settings = bank_settings(database, broker.url, play, **more)
    bank = Bank(settings, await deployment_of(database))
    running = asyncio.create_task(bank.run())
    try:
        await until(lambda: bank.ready or running.done())
        yield bank
    finally:
        bank.stop()
        await running


@dataclass
class Branch:
    """Books, a gateway with its keys, a simulated bank: everything but the bank process."""

    database: Database
    broker: Broker
    running: Running
    play: Play
    owner: asyncpg.Connection[Any]

    @property
    def http(self) -> httpx.AsyncClient:
        return self.running.http

    def bank(self, **more: Any) -> Any:
        return banking(self.database, self.broker, self.play, **more)

    async def rows(self) -> list[Mapping[str, Any]]:
        """In the order in which they were stored."""
        return await self.owner.fetch("SELECT * FROM bank_rows ORDER BY row_id")

    async def booked(self, count: int, within_s: float = 30) -> list[Mapping[str, Any]]:
        """The rows, once so many of them are booked."""

        async def enough() -> list[Mapping[str, Any]] | None:
            rows = await self.rows()
            return rows if sum(row["booked"] is not None for row in rows) == count else None

        found = await eventually(enough, within_s)
        assert found is not None
        return found

    async def fetch(self) -> Mapping[str, Any]:
        """Have the bank looked at now, and wait for what came of it."""
        await self.followed()
        asked = await self.http.post(
            "/v1/bank/fetches",
            json={"accountId": self.play.account_id},
            headers=self.running.key("bank"),
        )
        assert asked.status_code == 202, asked.text
        path = f"/v1/bank/fetches/{asked.json()['fetchId']}"

        async def finished() -> Mapping[str, Any] | None:
            found: Mapping[str, Any] = await self.running.get(path)
            return found if found["finished"] else None

        found = await eventually(finished, 30)
        assert found is not None
        return found

    async def followed(self) -> None:
        """Wait for the account to be followed."""

        async def some() -> bool:
            return bool((await self.running.get("/v1/bank/accounts"))["items"])

        await eventually(some)

    async def post(self, scope: str, path: str, body: Any, expect: int | None = None) -> Any:
        """With the key of the scope; succeeds unless a status is expected."""
        answer = await self.http.post(path, json=body, headers=self.running.key(scope))
        assert answer.status_code == expect or (expect is None and answer.is_success), answer.text
        return answer.json()

    async def delete(self, scope: str, path: str) -> None:
        answer = await self.http.delete(path, headers=self.running.key(scope))
        assert answer.status_code == 204, answer.text

    async def exceptions(self) -> list[tuple[str, bool]]:
        """Kind, and whether it is resolved."""
        rows = await self.owner.fetch("SELECT kind, resolved FROM bank_exceptions ORDER BY found")
        return [(row["kind"], row["resolved"] is not None) for row in rows]

    async def balance(self, name: str) -> Decimal:
        minor = await self.owner.fetchval(
            "SELECT balance_minor FROM wallets WHERE external_unique_id = $1", name
        )
        return Decimal(minor) / 100

    async def reference(self, name: str) -> str:
        found: str = await self.owner.fetchval(
            "SELECT reference FROM wallets WHERE external_unique_id = $1", name
        )
        return found

    async def control(self) -> Decimal:
        return await self.balance(f"bank-control:{self.play.account_id}")

    async def suspense(self) -> Decimal:
        return await self.balance(f"bank-suspense:{self.play.account_id}")

    async def charges(self) -> Decimal:
        return await self.balance(f"bank-charges:{self.play.account_id}")

    async def assert_ties(self) -> None:
        """What the bank has is what the books say that it owes us, and each row has one transfer of
        its own."""
        rows = await self.owner.fetch(
            "SELECT r.credit, r.amount_minor, r.vanished, t.amount_minor AS moved,"
            "       t.from_wallet_id = a.control_wallet AS came_in,"
            "       t.to_wallet_id = a.control_wallet AS went_out"
            "  FROM bank_rows r JOIN bank_accounts a USING (account_id)"
            "  LEFT JOIN transfers t ON t.transfer_id = r.transfer_id"
        )
        assert rows
        assert all((r["amount_minor"], r["credit"]) == (r["moved"], r["came_in"]) for r in rows)
        assert all(r["credit"] or r["went_out"] for r in rows)
        sum_minor = sum(r["amount_minor"] if r["credit"] else -r["amount_minor"] for r in rows)
        assert Decimal(sum_minor) / 100 == -await self.control()
        transfers = await self.owner.fetchval(
            "SELECT count(*) FROM transfers WHERE external_unique_id LIKE 'bank-row:%'"
        )
        assert transfers == len(rows)


@asynccontextmanager
async def branch(servers: Servers, template: str, folder: Path) -> AsyncIterator[Branch]:
    """Audited at the end."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(databases.copied(servers, template))
        broker = await stack.enter_async_context(Broker.declared(servers.amqp_url))
        await stack.enter_async_context(consuming(database, broker))
        running = await stack.enter_async_context(
            serving(
                database.reader,
                broker.url,
                await make_keys(database),
                database_url_banker=database.banker,
            )
        )
        play = await stack.enter_async_context(simulated(folder))
        owner = await connect_owner(database.owner)
        stack.push_async_callback(owner.close)
        yield Branch(database, broker, running, play, owner)


def of(rows: Sequence[Mapping[str, Any]], *columns: str) -> list[tuple[Any, ...]]:
    return [tuple(row[column] for column in columns) for row in rows]
