"""A consumer waits for its next batch in a transaction that it has opened already."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from consumers.writer import Writer
from ledger import heads
from ledger.database import connect_owner, connect_writer
from ledger.outcomes import TransferPosted
from ledger.transaction import begin
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, transfer
from tests.integration.processes import Broker, Producer, consuming
from tests.polling import eventually

IDLE = """
SELECT pid
  FROM pg_stat_activity
 WHERE datname = current_database() AND application_name = 'sov-writer'
   AND state = 'idle in transaction' AND query = 'BEGIN' AND backend_xmin IS NULL
"""
LOCKS = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND locktype <> 'virtualxid'"


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection]:
    connection = await connect_owner(database.owner)
    yield connection
    await connection.close()


async def idle_backend(owner: asyncpg.Connection) -> int:
    async def found() -> int | None:
        pid: int | None = await owner.fetchval(IDLE)
        return pid

    return await eventually(found) or 0


async def test_it_holds_nothing_and_its_end_costs_nothing(
    database: Database, broker: Broker, producer: Producer, owner: asyncpg.Connection
) -> None:
    async with consuming(database, broker):
        alice = await producer.wallet("alice-01", "100")
        bob = await producer.wallet("bob-0001")
        for number in range(3):
            pid = await idle_backend(owner)
            assert await owner.fetchval(LOCKS, pid) == 0
            assert await owner.fetchval("SELECT pg_terminate_backend($1)", pid)
            posted = await producer.ask(transfer(alice, bob, "1", f"after-end-{number}"))
            assert isinstance(posted, TransferPosted), posted


async def test_housekeeping_commits_what_it_writes(
    database: Database, broker: Broker, producer: Producer, owner: asyncpg.Connection
) -> None:
    async with consuming(database, broker):
        await producer.wallet("alice-01", "100")
        for _ in range(2):
            await idle_backend(owner)
            before = await heads.times(owner, LAYOUT.number)

            async def moved(before: object = before) -> bool:
                return await heads.times(owner, LAYOUT.number) != before

            assert await eventually(moved)


async def test_a_connection_that_was_ended_is_replaced(
    database: Database, owner: asyncpg.Connection
) -> None:
    writer = Writer(database.writer, LAYOUT.number)
    await writer.connection()
    await writer.begin_early()
    pid = await idle_backend(owner)
    assert await owner.fetchval("SELECT pg_terminate_backend($1)", pid)

    async def gone() -> bool:
        return await owner.fetchval("SELECT true FROM pg_stat_activity WHERE pid = $1", pid) is None

    assert await eventually(gone)
    connection = await writer.connection()
    assert not connection.is_in_transaction()
    assert await connection.fetchval("SELECT 1") == 1
    await writer.close()


async def test_nothing_is_begun_on_a_closed_connection(database: Database) -> None:
    connection = await connect_writer(database.writer)
    connection.terminate()
    with pytest.raises(asyncpg.InterfaceError):
        await begin(connection)
