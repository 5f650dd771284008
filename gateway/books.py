"""Looking at the books through a pool, in a way that ends when it has to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy


class Books:
    """``ledger.database.Queries`` on a pool of read connections.

    A query that is given up (its time is over, its caller has left) takes its connection with it.
    The library would ask the server to cancel it and wait for the answer: from a server that has
    gone silent there is none, and callers would hear of it long after their time.
    """

    def __init__(self, pool: asyncpg.Pool[Any]) -> None:
        self._pool = pool

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: object) -> Any:
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        async with self.connection() as connection:
            return await connection.fetchval(query, *args)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[PoolConnectionProxy[Any]]:
        """One connection for several queries. How long to wait for it is the caller's to bound."""
        connection = await self._pool.acquire()
        try:
            yield connection
        except (asyncio.CancelledError, TimeoutError):
            connection.terminate()
            raise
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[PoolConnectionProxy[Any]]:
        """The same, and all of them see the books as they are at one moment."""
        async with self.connection() as connection:
            transaction = connection.transaction(isolation="repeatable_read", readonly=True)
            await transaction.start()
            try:
                yield connection
            except (asyncio.CancelledError, TimeoutError):
                raise  # it ends with its connection: a server that is silent would not end it
            except Exception:
                await transaction.rollback()
                raise
            await transaction.rollback()

    async def close(self, within_s: float) -> None:
        try:
            async with asyncio.timeout(within_s):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()
