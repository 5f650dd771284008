"""The server under the URL is suddenly one that only reads, as in and after a failover."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

import asyncpg
import pytest

from tests.databases import Database
from tests.faults.own_postgres import OwnPostgres, own_postgres
from tests.faults.payments import Payments, paying
from tests.integration.processes import Broker
from tests.polling import eventually, until
from tests.servers import Servers


@pytest.fixture(scope="module")
async def own(servers: Servers) -> AsyncIterator[OwnPostgres]:
    async with own_postgres(servers) as found:
        yield found


@pytest.fixture
async def books(own: OwnPostgres) -> AsyncIterator[Database]:
    async with own.books() as database:
        yield database


@pytest.mark.parametrize("ended", [True, False])
async def test_read_only_for_a_while(
    own: OwnPostgres, books: Database, broker: Broker, ended: bool
) -> None:
    """Writes are refused (25006), on new sessions or on those there are. The consumer does not take
    that for a fault of its commands: it looks for a server that writes until there is one."""
    async with paying(books, broker) as payments:
        async with payments.going_on(wait_s=1):
            await own.set(default_transaction_read_only="on")
            if ended:
                await own.end_sessions()
            key = await refused(payments)
            await set_writable(own)
            await payments.again()
        words = await payments.settled()
        assert words[key] in ("EXPIRED", "REFUSED")
        assert await dead_letters(books) == 0


async def refused(payments: Payments) -> str:
    """The first payment that is not accepted. One may come through before it, in a transaction that
    an idle consumer had opened while the server still took writes."""
    for number in range(3):
        key = f"read-only-{number}"
        answer = await payments.pay(key, wait_s=2)
        if answer.status_code != 201:
            assert answer.status_code in (202, 503, 504)
            return key
    pytest.fail("a server that is read-only takes writes")


async def set_writable(own: OwnPostgres) -> None:
    async with own.administrator() as connection:
        # The administrator's own session is read-only too, which ALTER SYSTEM does not mind.
        await connection.execute("ALTER SYSTEM RESET default_transaction_read_only")
        await connection.execute("SELECT pg_reload_conf()")


async def sessions(own: OwnPostgres) -> set[int]:
    """The consumers' backends."""
    async with own.administrator() as connection:
        rows = await connection.fetch(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'sov-writer'"
        )
    return {row["pid"] for row in rows}


async def dead_letters(books: Database) -> int:
    connection = await asyncpg.connect(books.owner)
    try:
        count: int = await connection.fetchval("SELECT count(*) FROM sov.dead_letters")
    finally:
        await connection.close()
    return count


async def test_an_idle_consumer_finds_the_new_primary(
    own: OwnPostgres, books: Database, broker: Broker
) -> None:
    """Without any command to fail on, it leaves a server that has become read-only: behind the same
    URL there may be another one by now."""
    async with paying(books, broker) as payments:
        before = await sessions(own)
        assert before
        await own.set(default_transaction_read_only="on")

        async def has_left() -> bool:
            return not before & await sessions(own)

        await eventually(has_left)
        await set_writable(own)
        assert (await payments.pay("after-001")).status_code == 201
        assert await payments.settled() == {"after-001": "APPLIED"}


async def test_a_standby_that_is_promoted(
    own: OwnPostgres, books: Database, broker: Broker
) -> None:
    """The primary goes, what answers in its place is a standby, and later that is promoted. As long
    as it is a standby, reads are answered and writes refused before they are sent anywhere."""
    async with paying(books, broker) as payments:
        read = f"/v1/wallets/{await payments.running.wallet('read-0001')}"
        gateway = payments.running.gateway
        async with payments.going_on(wait_s=1):
            await own.server.stop()
            await until(lambda: not gateway.ready)
            (own.place / "data" / "standby.signal").touch()
            with suppress(asyncpg.ReadOnlySQLTransactionError):  # it would set up roles, too
                await own.server.start()
            await until(lambda: "standby" in gateway.checks()["database"])
            refused = await payments.pay("standby-1")
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert (await payments.running.http.get("/readyz")).status_code == 503
            assert (await payments.running.http.get(read)).status_code == 200
            async with own.administrator() as administrator:
                assert await administrator.fetchval("SELECT pg_promote()")
            await payments.again()
        assert (await payments.settled())["standby-1"] == "REFUSED"
