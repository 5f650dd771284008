"""PostgreSQL itself goes away under traffic, in every way a server can, and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

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


@pytest.fixture
async def payments(books: Database, broker: Broker) -> AsyncIterator[Payments]:
    async with paying(books, broker) as running:
        yield running


async def test_killed(own: OwnPostgres, payments: Payments) -> None:
    """SIGKILL of the postmaster, as by the kernel that is out of memory. Whoever was told "posted"
    finds it after the recovery; whoever was told nothing finds out; nobody restarts anything but
    the server."""
    for _ in range(2):
        async with payments.going_on():
            own.kill_postmaster()
            await until(lambda: not own.server.alive())
            await until(lambda: not payments.running.gateway.ready)
            await own.server.start()
            await payments.again()
    assert "APPLIED" in (await payments.settled()).values()


async def test_killed_and_away_for_longer_than_callers_wait(
    own: OwnPostgres, payments: Payments
) -> None:
    """Commands that are in the queue when the server goes are decided when it is back: too late,
    and so never applied."""
    async with payments.going_on(wait_s=1):
        await own.server.kill()
        await asyncio.sleep(3)
        await own.server.start()
        await payments.again()
    words = set((await payments.settled()).values())
    assert "APPLIED" in words
    assert words & {"REFUSED", "EXPIRED"}


async def test_restarted_in_an_orderly_way(own: OwnPostgres, payments: Payments) -> None:
    """A fast shutdown, as for an update of the server: sessions are ended in whatever they do."""
    async with payments.going_on():
        await own.server.stop()
        await own.server.start()
        await payments.again()
    assert "APPLIED" in (await payments.settled()).values()


async def test_frozen(own: OwnPostgres, payments: Payments) -> None:
    """For 7 s all its processes stand still (a machine that is moved, a disk that hangs). Nobody
    closes a connection, and still every call has an answer in its time, reads too; and afterwards
    everything goes on over the old connections or new ones."""
    read = f"/v1/wallets/{await payments.running.wallet('read-0001')}"
    async with payments.going_on(wait_s=2):
        own.freeze()
        frozen_s = time.monotonic()
        try:
            answers = await asyncio.gather(*(payments.running.http.get(read) for _ in range(12)))
            assert {answer.status_code for answer in answers} == {503}
            assert time.monotonic() - frozen_s < 20  # the client's own limit is 35 s
            during = await payments.pay("frozen-01", wait_s=1)
            assert during.status_code in (202, 503, 504)
            await asyncio.sleep(max(0.0, frozen_s + 7 - time.monotonic()))
        finally:
            own.thaw()
        await payments.again()
        assert (await payments.running.http.get(read)).status_code == 200
    assert "APPLIED" in (await payments.settled()).values()


async def test_a_commit_that_waits_for_its_standby(
    own: OwnPostgres, books: Database, payments: Payments
) -> None:
    """With synchronous replication a COMMIT waits for a standby that is away: no cancel and no end
    of the connection stops it, and it holds its locks. The consumer gives its connection up, finds
    the head rows locked for as long as it lasts, and tells the outcome when it is over."""
    before = await own_sessions(own, books)
    await own.set(synchronous_standby_names="nobody")
    try:
        asking = asyncio.create_task(payments.pay("standby-1", wait_s=29))
        await until_more_sessions(own, books, before)  # it is waiting on another connection
        await asyncio.sleep(6)  # longer than that one waits for the lock
        assert not asking.done()
    finally:
        await own.set(synchronous_standby_names=None)
    assert (await asking).status_code == 201
    assert await payments.settled() == {"standby-1": "APPLIED"}


async def own_sessions(own: OwnPostgres, books: Database) -> int:
    """How many connections consumers have to the books."""
    async with own.administrator() as administrator:
        count: int = await administrator.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = $1 AND application_name = 'sov-writer'",
            books.owner.rpartition("/")[2],
        )
    return count


async def until_more_sessions(own: OwnPostgres, books: Database, before: int) -> None:
    async def are_more() -> bool:
        return await own_sessions(own, books) > before

    await eventually(are_more, within_s=25)
