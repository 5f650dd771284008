"""PostgreSQL takes no more connections: whoever needs one is told so, and it passes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg
import pytest

from tests.databases import Database
from tests.faults.own_postgres import OwnPostgres, own_postgres
from tests.faults.payments import Payments, paying
from tests.integration.processes import Broker
from tests.polling import until
from tests.servers import Servers

_CONNECTIONS = 24


@pytest.fixture(scope="module")
async def own(servers: Servers) -> AsyncIterator[OwnPostgres]:
    async with own_postgres(servers) as found:
        await found.set(max_connections=str(_CONNECTIONS))
        await found.server.stop()
        await found.server.start()
        yield found


@pytest.fixture
async def books(own: OwnPostgres) -> AsyncIterator[Database]:
    async with own.books() as database:
        yield database


@asynccontextmanager
async def crowd(books: Database) -> AsyncIterator[None]:
    """Takes every place that there is, and every one that becomes free."""
    async with AsyncExitStack() as stack:
        full = asyncio.Event()

        async def take_places() -> None:
            while True:
                try:
                    taken = await asyncpg.connect(books.reader, timeout=5)
                except asyncpg.TooManyConnectionsError:
                    full.set()
                    await asyncio.sleep(0.01)
                else:
                    stack.push_async_callback(taken.close)

        taking = asyncio.create_task(take_places())
        try:
            await full.wait()
            yield
        finally:
            taking.cancel()
            await asyncio.wait({taking})


async def test_while_a_pool_grows(books: Database, broker: Broker) -> None:
    """Many reads at once want more connections than there are: some are answered over those that
    the gateway has, the others hear 503, nobody 500; payments go on over what they have."""
    async with paying(books, broker) as payments:
        read = f"/v1/wallets/{await payments.running.wallet('read-0001')}"
        http = payments.running.http
        async with crowd(books):
            answers = await asyncio.gather(*(http.get(read) for _ in range(40)))
            assert {answer.status_code for answer in answers} <= {200, 503}
            for answer in answers:
                if answer.status_code == 503:
                    assert answer.json()["code"] == "unavailable"
                    assert int(answer.headers["retry-after"]) >= 1
            assert (await http.get(read)).status_code == 200
            assert (await payments.pay("crowded-1")).status_code == 201
        answers = await asyncio.gather(*(http.get(read) for _ in range(40)))
        assert {answer.status_code for answer in answers} == {200}
        assert await payments.settled() == {"crowded-1": "APPLIED"}


async def test_while_everybody_reconnects(
    own: OwnPostgres, books: Database, broker: Broker
) -> None:
    """All sessions end and strangers take their places: consumer and gateway find none. Calls are
    refused meanwhile, and everything goes on when the strangers leave."""
    async with paying(books, broker) as payments:
        async with payments.going_on(wait_s=1):
            await crowded_out(own, books, payments)
            await payments.again()
        words = set((await payments.settled()).values())
        assert "APPLIED" in words
        assert words & {"REFUSED", "EXPIRED"}


async def crowded_out(own: OwnPostgres, books: Database, payments: Payments) -> None:
    """Returns after the gateway was without any connection for a while, and the crowd has left."""
    async with crowd(books), own.administrator() as administrator:

        async def end_ours() -> None:
            await administrator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'sov-%'"
            )

        gateway = payments.running.gateway
        for _ in range(50):  # whoever found a place again between the strangers loses it again
            await end_ours()
            await asyncio.sleep(0.1)
        await until(lambda: not gateway.ready)
        answer = await payments.running.http.get("/readyz")
        assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
