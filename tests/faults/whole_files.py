"""Files that are posted whole or not at all, and what has to be true of each when it has ended."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ledger.batches import Format, Kind, Order
from ledger.database import connect_owner, uploader_pool
from producers.bulk.handing_in import hand_in as producers_hand_in
from tests.databases import Database
from tests.faults.processes import Process, started
from tests.integration.bulk_jobs import Jobs, csv_of
from tests.polling import eventually
from tests.proxy import Proxy

#: Few enough that the consumer replies to the file's command; beyond that it is looked up.
LINES = 90
#: The one can be paid, the other one but for its last line.
RICH, POOR = "rich", "poor"


async def fund(job: Jobs) -> None:
    await job.running.wallet("alice-01", "1000000")
    await job.running.wallet("bob-0001")
    await job.running.wallet("empty-01")


def file_of(batch_id: str, lines: int = LINES) -> bytes:
    rows = [("alice-01", "bob-0001", "1.00", f"{batch_id}-{i:06}") for i in range(lines)]
    if batch_id == POOR:
        rows[-1] = ("empty-01", *rows[-1][1:])
    return csv_of(rows)


async def hand_in(job: Jobs, *batch_ids: str, lines: int = LINES) -> None:
    for batch_id in batch_ids:
        await job.submit(file_of(batch_id, lines), batchId=batch_id, atomic="true")


async def hand_in_beside(database: Database, *batch_ids: str) -> None:
    """The same without a gateway."""
    order = Order(Kind.TRANSFERS, Format.CSV, "identity", atomic=True)

    async def whole(batch_id: str) -> AsyncIterator[bytes]:
        yield file_of(batch_id)

    pool = await uploader_pool(database.uploader, size=1)
    try:
        for batch_id in batch_ids:
            await producers_hand_in(pool, batch_id, "test", order, whole(batch_id))
    finally:
        await pool.close()


async def assert_ended(job: Jobs, database: Database, *batch_ids: str, lines: int = LINES) -> None:
    """All of the one is posted and nothing of the other, and whatever is said of them says so."""
    for batch_id in batch_ids:
        ended = await job.ended(batch_id, within_s=120)
        booked = await in_books(database, batch_id)
        results = await job.results(batch_id)
        told = {r["externalUniqueId"]: r["transferId"] for r in results if r["transferId"]}
        assert told == booked
        assert [int(r["line"]) for r in results] == list(range(2, lines + 2))
        words = [r["status"] for r in results]
        if batch_id == POOR:
            assert booked == {}
            assert words == ["CANCELLED"] * (lines - 1) + ["REJECTED"]
            assert f"line {lines + 1} was refused (insufficient-funds)" in ended["reason"]
        else:
            assert words == ["POSTED"] * lines
            assert ended["reason"] is None
            assert ended["postedAmount"] == {"ZAR": f"{lines}.00"}
        assert (ended["status"], ended["posted"]) == ("DONE", len(booked))


async def in_books(database: Database, batch_id: str) -> dict[str, str]:
    """The file's transfers by their keys."""
    owner = await connect_owner(database.owner)
    try:
        rows = await owner.fetch(
            "SELECT external_unique_id, transfer_id FROM transfers"
            " WHERE external_unique_id LIKE $1",
            f"{batch_id}-%",
        )
    finally:
        await owner.close()
    return {row["external_unique_id"]: str(row["transfer_id"]) for row in rows}


@dataclass
class BulkProcess:
    """``python -m producers.bulk``, and the proxies between it and its servers."""

    process: Process
    to_books: Proxy
    to_broker: Proxy
    database: Database

    async def kill(self) -> None:
        """SIGKILL; its connections end with it, and its leases, for which nobody has to wait."""
        await self.process.kill()
        await self.to_books.cut()
        await self.to_broker.cut()
        await self._change("UPDATE batches SET leased_until = now() - interval '1 s'")

    async def worker(self, batch_id: str) -> str:
        """Under which name it has the file."""

        async def leased_by() -> Any:
            return await self._ask(batch_id)

        name: str = await eventually(leased_by)
        return name

    async def _ask(self, batch_id: str) -> Any:
        owner = await connect_owner(self.database.owner)
        try:
            return await owner.fetchval(
                "SELECT leased_by FROM batches WHERE batch_id = $1", batch_id
            )
        finally:
            await owner.close()

    async def _change(self, statement: str) -> None:
        owner = await connect_owner(self.database.owner)
        try:
            await owner.execute(statement)
        finally:
            await owner.close()


@asynccontextmanager
async def bulk_process(
    database: Database, url: str, folder: Path, log: str = "bulk"
) -> AsyncIterator[BulkProcess]:
    async with (
        Proxy.before(database.uploader) as (to_books, dsn),
        Proxy.before(url) as (to_broker, amqp),
        started(
            "producers.bulk",
            folder / f"{log}.log",
            SOV_DATABASE_URL_UPLOADER=dsn,
            SOV_AMQP_URL_GATEWAY=amqp,
        ) as process,
    ):
        yield BulkProcess(process, to_books, to_broker, database)
