"""A gateway is killed while a file arrives: nothing moves before the whole of it is there."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.databases import Database
from tests.faults.processes import Process, started
from tests.faults.test_killed_gateway import listening
from tests.faults.whole_files import RICH, assert_ended, file_of, fund, in_books
from tests.integration.bulk_jobs import MIB, Jobs, bulk_running, jobs
from tests.integration.processes import Broker
from tests.polling import eventually, until
from tests.proxy import Proxy, Then, Way

LINES = 9_000
#: Of more pieces than one: what is not stored when the gateway dies has to be sent again.
FILE = file_of(RICH, LINES) + b"\n" * (3 * MIB)
FIRST_PART = 5 * MIB // 2


@dataclass
class DoomedGateway:
    """``python -m gateway``, with proxies before it and before the place of its files."""

    process: Process
    caller: httpx.AsyncClient
    to_gateway: Proxy
    to_files: Proxy


@asynccontextmanager
async def doomed_gateway(
    database: Database, broker: Broker, job: Jobs, folder: Path
) -> AsyncIterator[DoomedGateway]:
    async with (
        listening() as opened,
        Proxy.before(f"http://127.0.0.1:{opened.getsockname()[1]}") as (to_gateway, url),
        Proxy.before(database.uploader) as (to_files, dsn),
        started(
            "gateway",
            folder / "gateway.log",
            opened.fileno(),
            SOV_DATABASE_URL_READER=database.reader,
            SOV_DATABASE_URL_UPLOADER=dsn,
            SOV_AMQP_URL_GATEWAY=broker.url,
            SOV_LISTEN_FD=str(opened.fileno()),
        ) as process,
        httpx.AsyncClient(
            base_url=url,
            headers={**job.running.key("batch"), "Content-Type": "text/csv"},
            timeout=35,
        ) as caller,
    ):

        async def ready() -> bool:
            try:
                return (await caller.get("/readyz")).status_code == 200
            except httpx.TransportError:
                return False

        await eventually(ready, within_s=30)
        yield DoomedGateway(process, caller, to_gateway, to_files)


@pytest.mark.parametrize(
    "moment", ["in the middle", "before its end is noted", "before its caller is told"]
)
async def test_the_gateway_is_killed(
    database: Database, broker: Broker, tmp_path: Path, moment: str
) -> None:
    """Another gateway takes the file, or says that it is there already."""
    async with jobs(database, broker) as job, bulk_running(database, broker):
        await fund(job)
        async with doomed_gateway(database, broker, job, tmp_path) as doomed:
            await _killed_at(moment, doomed, job)
        status = (await job.status(RICH))["status"]
        if moment != "before its caller is told":
            assert status == "RECEIVING"
            assert await in_books(database, RICH) == {}
        else:
            assert status != "RECEIVING"
        await job.submit(FILE, batchId=RICH, atomic="true")
        await assert_ended(job, database, RICH, lines=LINES)


async def _killed_at(moment: str, doomed: DoomedGateway, job: Jobs) -> None:
    noted = doomed.to_files.trap(Way.TO_SERVER, b"THEN 'PAUSED' ELSE 'QUEUED' END, di", Then.HOLD)
    told = doomed.to_gateway.trap(Way.TO_CLIENT, b"HTTP/1.1 202", Then.HOLD)
    if moment == "before its caller is told":
        noted.release()
    go_on = asyncio.Event()

    async def upload() -> AsyncIterator[bytes]:
        yield FILE[:FIRST_PART]
        await go_on.wait()
        yield FILE[FIRST_PART:]

    async def pieces_kept() -> bool:
        answer = await job.http.get(f"/v1/batches/{RICH}")
        return answer.status_code == 200 and answer.json()["receivedBytes"] > 0

    query = {"batchId": RICH, "atomic": "true"}
    sending = asyncio.create_task(doomed.caller.post("/v1/batches", params=query, content=upload()))
    await eventually(pieces_kept)
    if moment != "in the middle":
        go_on.set()
        await until((noted if moment == "before its end is noted" else told).sprung.is_set)
    await doomed.process.kill()
    go_on.set()
    with pytest.raises(httpx.TransportError):
        await sending
