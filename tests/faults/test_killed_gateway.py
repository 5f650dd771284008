"""A gateway process dies with callers waiting: their commands have one final word, and any other
gateway knows it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from tests.databases import Database
from tests.faults.processes import started
from tests.faults.towns import faulty_town
from tests.integration.processes import Broker
from tests.polling import eventually, until


async def test_a_killed_gateways_commands_are_answered_by_another(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    """Three callers wait in a gateway that is killed while the consumers are away, three more were
    told where to ask. Another gateway answers for those, the first three repeat with their keys;
    each payment is made once, or never because it was too late."""
    async with (
        faulty_town(database, broker) as town,
        listening() as opened,
        started(
            "gateway",
            tmp_path / "gateway.log",
            opened.fileno(),
            SOV_DATABASE_URL_READER=database.reader,
            SOV_AMQP_URL_GATEWAY=broker.url,
            SOV_LISTEN_FD=str(opened.fileno()),
        ) as process,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{opened.getsockname()[1]}",
            headers=town.running.key("operator"),
            timeout=35,
        ) as doomed,
    ):
        await eventually(lambda: _ready(doomed), within_s=30)
        await town.stop_consuming()
        late = await town.till.pay("too-late-01", wait_s=0.2, http=doomed)
        sent = [await town.till.pay(f"sent-{n:04}", wait_s=None, http=doomed) for n in range(2)]
        assert [answer.status_code for answer in (late, *sent)] == [202] * 3
        waiting = [
            asyncio.create_task(town.till.pay(f"waits-{n:03}", wait_s=30, http=doomed))
            for n in range(3)
        ]
        await eventually(lambda: _all_queued(broker))
        await process.kill()
        for task in waiting:
            with pytest.raises(httpx.TransportError):
                await task
        await town.consume()
        words = [
            (await town.till.final(answer.headers["location"]))["status"]
            for answer in (late, *sent)
        ]
        assert words == ["EXPIRED", "APPLIED", "APPLIED"]
        await until(lambda: town.consumers[0].ready)
        repeated = [await town.till.pay(f"waits-{n:03}") for n in range(3)]
        assert {answer.status_code for answer in repeated} <= {201, 409}
        told = await town.till.reconcile()
        assert told["UNKNOWN"] == 3
        assert len(await town.till.in_books()) == 5


@asynccontextmanager
async def listening() -> AsyncIterator[socket.socket]:
    """Kept open, so that nobody else gets the port."""
    with socket.create_server(("127.0.0.1", 0)) as opened:
        yield opened


async def _ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def _all_queued(broker: Broker) -> bool:
    """One message each for those that were sent one by one; those that wait may share theirs."""
    return sum([await broker.depth(p) for p in range(8)]) >= 4
