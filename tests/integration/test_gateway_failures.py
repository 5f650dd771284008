"""What callers are told while parts are away: never a lie, never late, and nothing stays behind."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from ledger import keys
from ledger.database import connect_owner
from ledger.keys import Scope
from ledger.migrate import SchemaOutdated
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, consuming, delete_queues
from tests.polling import eventually, until
from tests.proxy import Proxy, Then, Way
from topology import connections, names
from topology.declare import declare
from topology.errors import LayoutChanged

WALLET = {"externalUniqueId": "wallet-01", "currency": "ZAR"}
NOBODY = "/v1/wallets/0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"


@pytest.fixture
async def key_of(database: Database) -> dict[str, str]:
    return await make_keys(database)


@pytest.fixture
async def running(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> AsyncIterator[Running]:
    """A gateway that is ready; nobody consumes."""
    async with serving(database.reader, broker.url, key_of) as gateway:
        yield gateway


def is_refused(answer: httpx.Response) -> bool:
    """Whether it says: certainly not accepted, come back later."""
    return (
        answer.status_code == 503
        and answer.json()["code"] == "unavailable"
        and answer.json()["category"] == "SYSTEM"
        and int(answer.headers["retry-after"]) >= 1
    )


async def final(running: Running, location: str) -> Any:
    async def ask() -> Any:
        status = await running.get(location)
        return status if status["status"] != "PENDING" else None

    return await eventually(ask)


def without_occurrence(problem: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in problem.items() if k not in ("traceId", "instance")}


async def test_without_a_consumer_the_caller_is_told_where_to_ask(
    running: Running, database: Database, broker: Broker
) -> None:
    lost = await running.post("/v1/wallets", WALLET, Prefer="wait=0.2")
    assert lost.status_code == 202
    assert (await running.get(lost.headers["location"]))["status"] == "PENDING"
    channel = await connections.plain_channel(broker.connection)
    for partition in range(LAYOUT.partitions):
        await channel.queue_delete(names.command_queue(LAYOUT.number, partition))
    await connections.close(channel)
    await declare(broker.connection, LAYOUT)
    late = await running.post("/v1/wallets", WALLET, Prefer="wait=0.2")
    assert late.status_code == 202
    async with consuming(database, broker):
        # One was lost with its queue and nobody ever decides it; the other is decided too late.
        expired = [await final(running, a.headers["location"]) for a in (lost, late)]
    for status in expired:
        assert status["status"] == "EXPIRED"
        assert status["outcome"]["httpStatus"] == 504
        assert status["outcome"]["body"]["code"] == "deadline-exceeded"
    first, second = (without_occurrence(s["outcome"]["body"]) for s in expired)
    assert first == second
    assert await running.get("/v1/wallets") == {"items": [], "nextCursor": None}


async def test_while_the_database_is_away(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    async with (
        Proxy.before(database.reader) as (proxy, dsn),
        serving(dsn, broker.url, key_of) as running,
    ):
        assert (await running.http.get(NOBODY)).status_code == 404
        proxy.closed = True
        await proxy.cut()
        assert is_refused(await running.http.get(NOBODY))
        await until(lambda: not running.gateway.ready)
        assert is_refused(await running.post("/v1/wallets", WALLET))
        assert is_refused(await running.http.get("/readyz"))
        assert (await running.http.get("/healthz")).status_code == 200
        unknown = {"Authorization": "Bearer sov_unknown"}
        assert is_refused(await running.http.get(NOBODY, headers=unknown))
        for scope in ("reader", "eclipse"):
            assert is_refused(await running.http.get(NOBODY, headers=running.key(scope)))
        proxy.closed = False
        await until(lambda: running.gateway.ready)
        assert (await running.http.get(NOBODY)).status_code == 404
        assert (await running.http.get(NOBODY, headers=unknown)).status_code == 401


async def test_a_caller_that_gave_up_while_things_were_looked_up_moves_nothing_later(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    async with (
        Proxy.before(database.reader) as (proxy, dsn),
        serving(dsn, broker.url, key_of) as running,
        consuming(database, broker),
    ):
        await running.wallet("slow-a-01", "10")
        await running.wallet("slow-b-01")
        body = {
            "fromExternalUniqueId": "slow-a-01",
            "toExternalUniqueId": "slow-b-01",
            "amount": 1,
            "externalUniqueId": "slow-key-1",
        }
        # Each statement takes longer than this caller waits; the clock is still sampled.
        proxy.latency_s = 0.15
        refused = await running.post("/v1/transfers", body, Prefer="wait=0.2")
        assert is_refused(refused)
        assert "cannot be read" in refused.json()["detail"]
        proxy.latency_s = 0.0
        posted = await running.post("/v1/transfers", body, Prefer="wait=30")
        assert (posted.status_code, posted.json()["fromBalance"]) == (201, "9.00"), posted.text


async def test_a_check_ends_in_time_when_the_database_falls_silent(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    async with (
        Proxy.before(database.reader) as (proxy, dsn),
        serving(dsn, broker.url, key_of) as running,
    ):
        nobody = NOBODY.rpartition("/")[2]
        body = {"fromWalletId": nobody, "toWalletId": nobody, "amount": 1, "onlyCheck": True}
        # The first statement after BEGIN: the transaction is open, and cannot be ended.
        held = proxy.trap(Way.TO_SERVER, b"FROM wallets", Then.HOLD)
        async with asyncio.timeout(10):  # asyncpg itself would wait for 12 s more
            refused = await running.post("/v1/transfers", body, Prefer="wait=1")
        assert held.sprung.is_set()
        assert is_refused(refused)
        held.release()
        assert (await running.post("/v1/transfers", body)).status_code == 422


async def test_while_the_broker_is_away(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    async with (
        Proxy.before(broker.url) as (proxy, url),
        serving(database.reader, url, key_of) as running,
        consuming(database, broker),
    ):
        proxy.closed = True
        await proxy.cut()
        await until(lambda: not running.gateway.ready)
        assert is_refused(await running.post("/v1/wallets", WALLET))
        assert is_refused(await running.http.get("/readyz"))
        assert (await running.http.get(NOBODY)).status_code == 404
        proxy.closed = False
        await until(lambda: running.gateway.ready)
        assert (await running.post("/v1/wallets", WALLET)).status_code == 201


async def test_a_gateway_that_starts_before_its_servers(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    async with (
        Proxy.before(database.reader) as (before_books, dsn),
        Proxy.before(broker.url) as (before_broker, url),
    ):
        before_books.closed = before_broker.closed = True
        async with serving(dsn, url, key_of, ready=False) as running:
            assert (await running.http.get("/healthz")).status_code == 200
            for answer in (
                await running.http.get("/readyz"),
                await running.http.get(NOBODY),
                await running.post("/v1/wallets", WALLET),
            ):
                assert is_refused(answer)
            before_books.closed = False
            await eventually(lambda: answers_reads(running))
            assert is_refused(await running.post("/v1/wallets", WALLET))
            before_broker.closed = False
            await until(lambda: running.gateway.ready)


async def answers_reads(running: Running) -> bool:
    return (await running.http.get(NOBODY)).status_code == 404


async def test_queues_that_are_missing_are_noticed(running: Running, broker: Broker) -> None:
    await delete_queues(broker.connection)
    assert is_refused(await running.post("/v1/wallets", WALLET))
    await until(lambda: not running.gateway.ready)
    assert "is not there" in (await running.http.get("/readyz")).json()["checks"]["queues"]
    await declare(broker.connection, LAYOUT)
    await until(lambda: running.gateway.ready)


async def test_keys_are_new_and_revoked_within_seconds(
    running: Running, database: Database
) -> None:
    owner = await connect_owner(database.owner)
    try:
        fresh = await keys.create(owner, "fresh", [Scope.READER], rate=2)
        headers = {"Authorization": f"Bearer {fresh}"}
        answers = await asyncio.gather(
            *(running.http.get(NOBODY, headers=headers) for _ in range(4))
        )
        assert {a.status_code for a in answers} == {404, 429}
        limited = next(a for a in answers if a.status_code == 429)
        assert limited.json()["code"] == "rate-limited"
        assert int(limited.headers["retry-after"]) >= 1
        await keys.revoke(owner, "fresh")
    finally:
        await owner.close()

    async def gone() -> bool:
        return (await running.http.get(NOBODY, headers=headers)).status_code == 401

    await eventually(gone, within_s=5)


async def test_another_layout_ends_the_gateway(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    owner = await connect_owner(database.owner)
    try:
        async with serving(database.reader, broker.url, key_of) as running:
            await owner.execute("INSERT INTO layouts (layout, partitions) VALUES (2, 4)")
            await until(running.task.done)
            with pytest.raises(LayoutChanged):
                running.task.result()
        await owner.execute("DELETE FROM layouts WHERE layout = 2")
    finally:
        await owner.close()


async def test_books_of_another_version_are_refused(
    database: Database, broker: Broker, key_of: dict[str, str]
) -> None:
    owner = await connect_owner(database.owner)
    try:
        await owner.execute(
            "INSERT INTO migrations (number, name, checksum) VALUES (9999, 'later', 'x')"
        )
        async with serving(database.reader, broker.url, key_of) as running:
            await until(running.task.done)
            with pytest.raises(SchemaOutdated):
                running.task.result()
    finally:
        await owner.execute("DELETE FROM migrations WHERE number = 9999")
        await owner.close()


async def test_a_caller_that_leaves_leaves_nothing_behind(running: Running) -> None:
    asking = asyncio.create_task(running.post("/v1/wallets", WALLET, Prefer="wait=30"))
    await until(lambda: running.gateway.report()["waiting_commands"])
    asking.cancel()
    await until(lambda: not running.gateway.report()["waiting_commands"])
    await until(lambda: not running.gateway.report()["in_flight"])


async def test_a_gateway_that_stops_tells_who_still_waits(running: Running) -> None:
    asking = asyncio.create_task(running.post("/v1/wallets", WALLET, Prefer="wait=30"))
    await until(lambda: running.gateway.report()["waiting_commands"])
    running.gateway.stop()
    async with asyncio.timeout(10):
        answer = await asking
        await running.task
    assert answer.status_code == 202
    with pytest.raises(httpx.ConnectError):
        await running.http.get("/healthz")
