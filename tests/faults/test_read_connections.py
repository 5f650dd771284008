"""A gateway's connections for reads: bounded, replaced when they are lost, never poisoned."""

from __future__ import annotations

import asyncio
import time

from ledger.database import connect_owner, connect_writer, reader_pool
from tests.databases import Database
from tests.faults.payments import Payments, paying
from tests.integration.processes import Broker
from tests.polling import eventually, until
from tests.proxy import Proxy, Way

_SHARED = {
    "search_path": "sov",
    "TimeZone": "UTC",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}


async def test_every_connection_has_its_limits(database: Database) -> None:
    """As the server itself reports them, after the pool has handed a connection out and back."""
    writer = await connect_writer(database.writer)
    pool = await reader_pool(database.reader, size=2)
    try:
        wanted = {
            **_SHARED,
            "lock_timeout": "5s",
            "idle_in_transaction_session_timeout": "2s",
            "client_connection_check_interval": "2s",
            "synchronous_commit": "on",
            "statement_timeout": "0",  # COMMIT must not be cancelled
        }
        assert {name: await writer.fetchval(f"SHOW {name}") for name in wanted} == wanted
        wanted = {**_SHARED, "statement_timeout": "10s", "default_transaction_read_only": "on"}
        for _ in range(2):
            async with pool.acquire() as first, pool.acquire() as second:
                for reader in (first, second):
                    assert {n: await reader.fetchval(f"SHOW {n}") for n in wanted} == wanted
    finally:
        await writer.close()
        await pool.close()


async def statuses(payments: Payments, path: str, count: int = 12) -> set[int]:
    http = payments.running.http
    return {a.status_code for a in await asyncio.gather(*(http.get(path) for _ in range(count)))}


async def test_sessions_that_were_ended_are_replaced(database: Database, broker: Broker) -> None:
    """The server ends all sessions while they idle (57P01, a failover, a restart): the pool makes
    new ones, and no caller hears of a defect."""
    owner = await connect_owner(database.owner)
    try:
        async with paying(database, broker) as payments:
            read = f"/v1/wallets/{await payments.running.wallet('read-0001')}"
            for _ in range(5):
                assert await statuses(payments, read) == {200}
                await owner.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND application_name = 'sov-reader'"
                )
                assert await statuses(payments, read) <= {200, 503}

                async def all_read() -> bool:
                    return await statuses(payments, read) == {200}

                await eventually(all_read)
    finally:
        await owner.close()


async def test_silent_connections_end_and_are_replaced(database: Database, broker: Broker) -> None:
    """The way to the database goes silent, one way or both, with reads under way: each is answered
    503 in its time, and afterwards every read succeeds, none over a connection that is stuck."""
    async with (
        Proxy.before(database.reader) as (proxy, dsn),
        paying(database, broker, reader=dsn) as payments,
    ):
        read = f"/v1/wallets/{await payments.running.wallet('read-0001')}"
        for ways in ((Way.TO_CLIENT,), (Way.TO_SERVER,), tuple(Way)):
            assert await statuses(payments, read) == {200}
            proxy.stall(*ways)
            begun_s = time.monotonic()
            assert await statuses(payments, read, 40) == {503}
            assert time.monotonic() - begun_s < 20  # the caller's own limit is 35 s
            proxy.resume()
            await until(lambda: payments.running.gateway.ready)
            assert await statuses(payments, read, 40) == {200}
        assert (await payments.pay("after-001")).status_code == 201
        assert await payments.settled() == {"after-001": "APPLIED"}


async def test_a_slow_way(database: Database, broker: Broker) -> None:
    """Every piece of data takes 50 ms each way, to the consumer and to the gateway: slower, and
    nothing else."""
    async with (
        Proxy.before(database.writer) as (of_writer, writer),
        Proxy.before(database.reader) as (of_reader, reader),
        paying(database, broker, writer=writer, reader=reader) as payments,
    ):
        of_writer.latency_s = of_reader.latency_s = 0.05
        read = f"/v1/wallets/{await payments.running.wallet('read-0001')}"
        assert await statuses(payments, read) == {200}
        for number in range(5):
            assert (await payments.pay(f"slowly-{number:02}", wait_s=20)).status_code == 201
        assert set((await payments.settled()).values()) == {"APPLIED"}
