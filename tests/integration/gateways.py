"""Gateways of the product itself, run inside the test's event loop on real servers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from gateway.process import Gateway
from gateway.server import open_socket
from ledger import keys
from ledger.database import connect_owner
from ledger.keys import Scope
from tests import databases
from tests.databases import Database
from tests.integration.processes import Broker, consuming
from tests.polling import until
from tests.servers import Servers
from topology.settings import Settings

#: An id like ours that nothing has.
NOBODY = "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json().get("code", "")


def in_an_hour() -> str:
    return (datetime.now(UTC) + timedelta(hours=1)).isoformat()


@dataclass
class Running:
    """A gateway that serves, and keys to it by scope."""

    gateway: Gateway
    task: asyncio.Task[None]
    url: str
    keys: Mapping[str, str]
    http: httpx.AsyncClient
    """Asks with the ``operator`` key unless told otherwise."""

    def key(self, scope: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[scope]}"}

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        return await self.http.post(path, json=body, headers=headers)

    async def get(self, path: str, **query: Any) -> Any:
        """The document of a read that has to succeed."""
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def wallet(self, key: str, balance: str = "0", **more: Any) -> str:
        """A wallet with money in it; answers its id."""
        body = {"externalUniqueId": key, "currency": "ZAR", **more}
        opened = await self.post("/v1/wallets", body)
        assert opened.status_code == 201, opened.text
        wallet_id: str = opened.json()["walletId"]
        if float(balance):
            system = {"externalUniqueId": "system-zar", "currency": "ZAR", "type": "SYSTEM"}
            await self.post("/v1/wallets", system)
            await self.paid("system-zar", key, balance, f"fund {key}")
        return wallet_id

    async def paid(self, source: str, target: str, amount: str, key: str, **more: Any) -> Any:
        """A transfer between wallets by name that has to be posted."""
        body = {
            "fromExternalUniqueId": source,
            "toExternalUniqueId": target,
            "amount": amount,
            "externalUniqueId": key,
            **more,
        }
        posted = await self.post("/v1/transfers", body)
        assert posted.status_code == 201, posted.text
        return posted.json()


async def make_keys(database: Database) -> dict[str, str]:
    owner = await connect_owner(database.owner)
    try:
        return {
            scope.value: await keys.create(
                owner, scope.value, [scope], owner=f"whoever has {scope.value}"
            )
            for scope in Scope
        }
    finally:
        await owner.close()


@asynccontextmanager
async def serving(
    reader_dsn: str,
    amqp_url: str,
    key_of: Mapping[str, str],
    *,
    ready: bool = True,
    **more: Any,
) -> AsyncIterator[Running]:
    """A gateway on a port of its own; stopped, and waited for, at the end."""
    settings = Settings(database_url_reader=reader_dsn, amqp_url_gateway=amqp_url, **more)
    opened = open_socket("127.0.0.1", 0)
    url = f"http://127.0.0.1:{opened.getsockname()[1]}"
    gateway = Gateway(settings, opened, None)
    task = asyncio.create_task(gateway.run())
    headers = {"Authorization": f"Bearer {key_of['operator']}"} if key_of else {}
    try:
        if ready:
            await until(lambda: gateway.ready or task.done())
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=35) as http:
            yield Running(gateway, task, url, key_of, http)
    finally:
        gateway.stop()
        await asyncio.wait({task})
        assert gateway.report()["in_flight"] == 0


@asynccontextmanager
async def town(servers: Servers, template: str) -> AsyncIterator[Running]:
    """One gateway and one consumer on books of their own, which are audited at the end."""
    async with (
        databases.copied(servers, template) as database,
        Broker.declared(servers.amqp_url) as broker,
        consuming(database, broker),
        serving(database.reader, broker.url, await make_keys(database)) as running,
    ):
        yield running
