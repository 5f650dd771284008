"""Reconciliations through the product's own gateway, consumer and reconciler, in the test's event
loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import httpx

from bank.reconciliation.runner import Reconciler
from ledger.commands import Command
from ledger.outcomes import TransferPosted
from ledger.records import Transfer
from producers.commands import Answered
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.processes import Broker, consuming, producing
from tests.polling import eventually, until
from topology.settings import Settings

COLUMNS = "externalUniqueId,fromExternalUniqueId,toExternalUniqueId,amount,time,status"
ENDED = ("DONE", "FAILED")


def settings_of(database: Database, url: str, **more: Any) -> Settings:
    return Settings(
        database_url_banker=database.banker,
        amqp_url_gateway=url,
        **{"reconcile_daily_at": "", **more},
    )


@asynccontextmanager
async def reconciling(database: Database, url: str, **more: Any) -> AsyncIterator[Reconciler]:
    """The process's own work, subscribed; drained at the end."""
    reconciler = Reconciler(settings_of(database, url, **more))
    running = asyncio.create_task(reconciler.run())
    try:
        await until(lambda: reconciler.ready or running.done())
        yield reconciler
    finally:
        reconciler.stop()
        await running


@dataclass
class Comparisons:
    """The routes of reconciliations, as somebody with the ``bank`` key uses them."""

    running: Running
    database: Database
    broker: Broker

    @property
    def http(self) -> httpx.AsyncClient:
        return self.running.http

    async def now(self) -> datetime:
        """The end of a period that has everything that was posted before this call."""
        answer = await self.running.get("/v1/wallets", limit=1)
        wallet = answer["items"][0]["walletId"]
        shown = await self.running.get(f"/v1/wallets/{wallet}/balance")
        return datetime.fromisoformat(shown["asOf"])

    async def complete(self) -> datetime:
        """The same, once nothing can be added to it any more: nobody has to wait for that."""
        moment = await self.now()
        (wallet, *_) = (await self.running.get("/v1/wallets", limit=1))["items"]

        async def is_complete() -> bool:
            path = f"/v1/wallets/{wallet['walletId']}/transactions"
            until = (await self.running.get(path, limit=1))["completeUntil"]
            return datetime.fromisoformat(until) >= moment

        await eventually(is_complete)
        return moment

    async def as_somebody_else(self, command: Command, actor: str = "test") -> Transfer:
        """A transfer that no key of ours asked for, and that has to be posted."""
        async with producing(self.database, self.broker.url) as producer:
            answer = await producer.commands.ask(command, actor=actor, wait_s=10)
        assert isinstance(answer, Answered), answer
        assert isinstance(answer.outcome.result, TransferPosted), answer
        return answer.outcome.result.transfer

    async def ask(self, expect: int = 202, **body: Any) -> dict[str, Any]:
        """For a comparison without an extract."""
        answer = await self.http.post(
            "/v1/reconciliations", json=body, headers=self.running.key("bank")
        )
        assert answer.status_code == expect, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def send(
        self, extract: Any, expect: int = 202, media: str = "text/csv", **query: Any
    ) -> dict[str, Any]:
        headers = {**self.running.key("bank"), "Content-Type": media}
        if "encoding" in query:
            headers["Content-Encoding"] = query.pop("encoding")
        answer = await self.http.post(
            "/v1/reconciliations",
            content=extract,
            params={"kind": "ECLIPSE", **query},
            headers=headers,
        )
        assert answer.status_code == expect, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def status(self, reconciliation_id: str) -> dict[str, Any]:
        document: dict[str, Any] = await self.running.get(
            f"/v1/reconciliations/{reconciliation_id}"
        )
        return document

    async def ended(self, reconciliation_id: str, within_s: float = 60) -> dict[str, Any]:
        async def has_ended() -> dict[str, Any] | None:
            document = await self.status(reconciliation_id)
            return document if document["status"] in ENDED else None

        found = await eventually(has_ended, within_s)
        assert found is not None
        return found

    async def differences(self, reconciliation_id: str, **query: Any) -> list[dict[str, Any]]:
        page = await self.running.get(
            f"/v1/reconciliations/{reconciliation_id}/differences", **query
        )
        items: list[dict[str, Any]] = page["items"]
        return items

    async def found(self, reconciliation_id: str) -> set[tuple[str, str | None]]:
        """Kind and key of every difference."""
        return {
            (each["kind"], each["externalUniqueId"])
            for each in await self.differences(reconciliation_id, limit=1000)
        }

    async def report(self, reconciliation_id: str) -> dict[str, Any]:
        answer = await self.http.get(
            f"/v1/reconciliations/{reconciliation_id}/report",
            headers={"Accept": "application/json"},
        )
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def text(self, reconciliation_id: str) -> str:
        answer = await self.http.get(f"/v1/reconciliations/{reconciliation_id}/report")
        assert answer.status_code == 200, answer.text
        return answer.text


@asynccontextmanager
async def comparisons(
    database: Database, broker: Broker, *, consumed: bool = True
) -> AsyncIterator[Comparisons]:
    """A gateway with a place for what is to be compared, and a consumer. No reconciler."""
    key_of: Mapping[str, str] = await make_keys(database)
    serve = serving(database.reader, broker.url, key_of, database_url_banker=database.banker)
    async with serve as running:
        if not consumed:
            yield Comparisons(running, database, broker)
            return
        async with consuming(database, broker):
            yield Comparisons(running, database, broker)


def extract_of(rows: Sequence[Sequence[object]], columns: str = COLUMNS) -> bytes:
    return "\n".join([columns, *(",".join(map(str, row)) for row in rows), ""]).encode()
