"""Two connections in each other's way, stopped at an exact point and let go again.

A gate is a row or a key that the test itself holds: whoever needs it waits there, with all the
locks it has taken so far, until the test lets go.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID, uuid4

import asyncpg

from ledger.database import connect_owner, connect_writer
from ledger.sql import HEADS
from tests.databases import Database
from tests.polling import eventually

Connection = asyncpg.Connection

_HOLD_TRANSFER_KEY = """
INSERT INTO transfers (transfer_id, command_id, external_unique_id, from_wallet_id, to_wallet_id,
                       amount_minor, from_sequence, to_sequence, created, currency)
VALUES ($2, $2, $1, $2, $3, 1, 1, 1, clock_timestamp(), 'ZAR')
"""
_HOLD_RESERVATION_KEY = """
INSERT INTO reservations (reservation_id, wallet_id, external_unique_id, session_id, amount_minor,
                          currency, expires, created, command_id)
VALUES ($2, $2, $1, 'session-of-the-gate', 1, 'ZAR', clock_timestamp(), clock_timestamp(), $3)
"""
_HOLD_WALLET = "SELECT FROM wallets WHERE wallet_id = $1 FOR NO KEY UPDATE"


class Gate:
    """Closed until it is opened, or the block ends; what it wrote to be in the way is undone."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def before_wallet(cls, database: Database, wallet_id: UUID) -> AsyncIterator[Gate]:
        """Whoever locks the wallet waits."""
        async with cls._closed(database, _HOLD_WALLET, wallet_id) as gate:
            yield gate

    @classmethod
    @asynccontextmanager
    async def before_turn(cls, database: Database) -> AsyncIterator[Gate]:
        """Whoever takes turns waits."""
        async with cls._closed(database, HEADS.turn) as gate:
            yield gate

    @classmethod
    @asynccontextmanager
    async def before_transfer_key(cls, database: Database, key: str) -> AsyncIterator[Gate]:
        """Whoever writes the key waits, in the middle of its writing."""
        async with cls._closed(database, _HOLD_TRANSFER_KEY, key, uuid4(), uuid4()) as gate:
            yield gate

    @classmethod
    @asynccontextmanager
    async def before_reservation_key(cls, database: Database, key: str) -> AsyncIterator[Gate]:
        """The same for a reservation's key."""
        async with cls._closed(database, _HOLD_RESERVATION_KEY, key, uuid4(), uuid4()) as gate:
            yield gate

    @classmethod
    @asynccontextmanager
    async def _closed(
        cls, database: Database, statement: str, *arguments: object
    ) -> AsyncIterator[Gate]:
        connection = await connect_owner(database.owner)
        try:
            await connection.execute("BEGIN")
            await connection.execute(statement, *arguments)
            yield cls(connection)
        finally:
            await connection.close(timeout=5)

    async def waited_for(self, sessions: int) -> None:
        """Until so many sessions of this database wait for a lock."""

        async def enough() -> bool:
            waiting: int = await self._connection.fetchval(
                "SELECT count(*) FROM pg_stat_activity"
                " WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            return waiting >= sessions

        await eventually(enough)

    async def open(self) -> None:
        await self._connection.execute("ROLLBACK")


@asynccontextmanager
async def another_writer(database: Database) -> AsyncIterator[Connection]:
    """A second consumer's connection."""
    connection = await connect_writer(database.writer)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)
