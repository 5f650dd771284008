"""Connections to PostgreSQL, with what every one of them must have set."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol

import asyncpg

SCHEMA = "sov"
_CONNECT_TIMEOUT_S = 5
#: Statements of a writer take milliseconds, and wait for a lock 5 s at most: after a longer silence
#: the server is gone, or the way to it, without anybody having closed the connection.
_STATEMENT_LIMIT_S = 10
#: Above the server's own limit, as with the readers' pool.
_COMPARISON_LIMIT_S = 620

#: What a connection raises whose server is gone, or does not answer any more.
UNREACHABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # The server ended the session while it was idle, and the library has not noticed yet.
    asyncpg.InternalClientError,
)

_SHARED_SETTINGS = {
    "search_path": SCHEMA,
    "timezone": "UTC",
    # A black-holed peer must not hold locks for the kernel's default of two hours.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

_WRITER_SETTINGS = {
    **_SHARED_SETTINGS,
    "application_name": "sov-writer",
    # A frozen owner holds its wallets: the server ends it, so that the next owner can go on.
    "idle_in_transaction_session_timeout": "2s",
    "lock_timeout": "5s",
    "client_connection_check_interval": "2s",
    "synchronous_commit": "on",
    # Every statement of the writer goes by an index. A plan that was cached while a table was
    # still small would scan it for ever; and planning anew costs more than running.
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}

_UPLOADER_SETTINGS = {
    **_SHARED_SETTINGS,
    "application_name": "sov-uploader",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "5s",
    "statement_timeout": "60s",
    "jit": "off",
}

_BANKER_SETTINGS = {**_UPLOADER_SETTINGS, "application_name": "sov-banker"}
#: Whoever leads asks every second. One that is frozen does not, and its session, which a living
#: kernel keeps open for it, must not keep the others from taking over.
_LEADER_SETTINGS = {**_BANKER_SETTINGS, "idle_session_timeout": "10s"}

_COMPARER_SETTINGS = {
    **_SHARED_SETTINGS,
    "application_name": "sov-reconciler",
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "5s",
    "statement_timeout": "10min",
    "client_connection_check_interval": "2s",
    "work_mem": "32MB",
    "temp_buffers": "16MB",
    "jit": "off",
}

_READER_SETTINGS = {
    **_SHARED_SETTINGS,
    "application_name": "sov-reader",
    "default_transaction_read_only": "on",
    "statement_timeout": "10s",
    "jit": "off",
}


class Queries(Protocol):
    """What reading code needs of a connection; pools offer it too."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]: ...

    async def fetchrow(self, query: str, *args: object) -> Any: ...

    async def fetchval(self, query: str, *args: object) -> Any: ...


async def connect_writer(dsn: str) -> asyncpg.Connection[Any]:
    """A connection for one consumer's lane. Raises ``OSError`` or ``asyncpg.PostgresError``.

    No statement timeout on the server: COMMIT must never be cancelled, for a cancelled one may have
    happened. After a ``TimeoutError`` of ours nobody knows what the server is doing: throw the
    connection away. ``ledger.transaction.commit`` does so with a COMMIT long before this limit.
    """
    return await asyncpg.connect(
        dsn,
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=_STATEMENT_LIMIT_S,
        server_settings=_WRITER_SETTINGS,
    )


async def connect_owner(dsn: str) -> asyncpg.Connection[Any]:
    """A connection for migrations, keys and the audit."""
    return await asyncpg.connect(
        dsn,
        timeout=_CONNECT_TIMEOUT_S,
        server_settings={**_SHARED_SETTINGS, "application_name": "sov-owner"},
    )


async def reader_pool(dsn: str, *, size: int) -> asyncpg.Pool[Any]:
    """A pool for a gateway's reads: read-only whatever role the URL names.

    ``command_timeout`` is above the server's own limit, so that it only fires when the server is
    unreachable.
    """
    return await asyncio.wait_for(
        asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=size,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=12,
            max_inactive_connection_lifetime=300,
            server_settings=_READER_SETTINGS,
            connection_class=_ReadConnection,
        ),
        _CONNECT_TIMEOUT_S * 2,
    )


async def uploader_pool(dsn: str, *, size: int) -> asyncpg.Pool[Any]:
    """A pool for whoever keeps bulk files: each statement is a transaction of its own."""
    return await asyncio.wait_for(
        asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=size,
            timeout=_CONNECT_TIMEOUT_S,
            # Above the server's own limit, as with the readers' pool.
            command_timeout=65,
            server_settings=_UPLOADER_SETTINGS,
        ),
        _CONNECT_TIMEOUT_S * 2,
    )


async def connect_comparer(dsn: str) -> asyncpg.Connection[Any]:
    """A connection for one long look at the books as they are at one moment, beside live traffic.

    Whole tables are sorted and joined on it; what does not fit into ``work_mem`` goes to disk.
    """
    return await asyncpg.connect(
        dsn,
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=_COMPARISON_LIMIT_S,
        server_settings=_COMPARER_SETTINGS,
    )


async def banker_pool(dsn: str, *, size: int) -> asyncpg.Pool[Any]:
    """A pool for whoever keeps the bank side."""
    return await asyncio.wait_for(
        asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=size,
            timeout=_CONNECT_TIMEOUT_S,
            command_timeout=65,
            server_settings=_BANKER_SETTINGS,
        ),
        _CONNECT_TIMEOUT_S * 2,
    )


async def connect_banker(dsn: str) -> asyncpg.Connection[Any]:
    """A connection of one's own for the bank side: it holds a lock, and hears notifications. The
    server ends it where nothing is asked for ten seconds."""
    return await asyncpg.connect(
        dsn,
        timeout=_CONNECT_TIMEOUT_S,
        command_timeout=_STATEMENT_LIMIT_S,
        server_settings=_LEADER_SETTINGS,
    )


class _ReadConnection(asyncpg.Connection):
    """Read-only sessions leave nothing behind: resetting them would double the round trips."""

    def get_reset_query(self) -> str:
        return ""
