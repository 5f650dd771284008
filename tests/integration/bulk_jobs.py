"""Bulk files through the product's own gateway, consumer and runner, in the test's event loop."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from producers.bulk.runner import Bulk
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.processes import Broker, consuming, deployment_of
from tests.polling import eventually, until

MIB = 1024 * 1024
ENDED = ("DONE", "CANCELLED", "FAILED")


@asynccontextmanager
async def bulk_running(
    database: Database, broker: Broker, *, most_bytes: int = 64 * MIB
) -> AsyncIterator[Bulk]:
    """The process's own work; drained at the end."""
    bulk = Bulk(database.uploader, broker.url, await deployment_of(database), most_bytes)
    running = asyncio.create_task(bulk.run())
    try:
        await until(lambda: bulk.ready or running.done())
        yield bulk
    finally:
        bulk.stop()
        await running


@dataclass
class Jobs:
    """The routes of bulk files, as a job with the ``batch`` key uses them."""

    running: Running

    @property
    def http(self) -> httpx.AsyncClient:
        return self.running.http

    async def submit(
        self, file: Any, expect: int = 202, media: str = "text/csv", **query: Any
    ) -> dict[str, Any]:
        headers = {**self.running.key("batch"), "Content-Type": media}
        if "encoding" in query:
            headers["Content-Encoding"] = query.pop("encoding")
        answer = await self.http.post("/v1/batches", content=file, params=query, headers=headers)
        assert answer.status_code == expect, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def status(self, batch_id: str) -> dict[str, Any]:
        document: dict[str, Any] = await self.running.get(f"/v1/batches/{batch_id}")
        return document

    async def ended(self, batch_id: str, within_s: float = 60) -> dict[str, Any]:
        async def has_ended() -> dict[str, Any] | None:
            document = await self.status(batch_id)
            return document if document["status"] in ENDED else None

        found = await eventually(has_ended, within_s)
        assert found is not None
        return found

    async def wish(self, batch_id: str, word: str, expect: int = 200) -> dict[str, Any]:
        answer = await self.http.post(
            f"/v1/batches/{batch_id}/{word}", headers=self.running.key("batch")
        )
        assert answer.status_code == expect, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def results(self, batch_id: str, **query: Any) -> list[dict[str, str]]:
        answer = await self.http.get(f"/v1/batches/{batch_id}/results", params=query)
        assert answer.status_code == 200, answer.text
        return list(csv.DictReader(io.StringIO(answer.text)))

    async def words(self, batch_id: str) -> list[tuple[int, str, str]]:
        """Line, word and code of every result."""
        return [(int(r["line"]), r["status"], r["code"]) for r in await self.results(batch_id)]


@asynccontextmanager
async def jobs(database: Database, broker: Broker, *, consumed: bool = True) -> AsyncIterator[Jobs]:
    """A gateway with a place for files; with a consumer unless told otherwise. No runner."""
    key_of: Mapping[str, str] = await make_keys(database)
    serve = serving(database.reader, broker.url, key_of, database_url_uploader=database.uploader)
    async with serve as running:
        if not consumed:
            yield Jobs(running)
            return
        async with consuming(database, broker):
            yield Jobs(running)


def csv_of(rows: Sequence[Sequence[object]], columns: str = "") -> bytes:
    columns = columns or "fromExternalUniqueId,toExternalUniqueId,amount,externalUniqueId"
    return "\n".join([columns, *(",".join(map(str, row)) for row in rows), ""]).encode()


async def two_wallets(job: Jobs, balance: str = "1000") -> tuple[str, str]:
    alice = await job.running.wallet("alice-01", balance)
    return alice, await job.running.wallet("bob-0001")
