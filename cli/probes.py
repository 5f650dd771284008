"""Questions to the servers that `./sov status` asks; every one ends within two seconds."""

from __future__ import annotations

import asyncio
import base64
import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aio_pika
import asyncpg
from aio_pika.exceptions import AMQPError, ChannelClosed

from ledger.database import connect_owner
from ledger.deployment import Layout, NotPrepared, read_deployment

LIMIT_S = 2.0
_OK = 200
_ALARM = 503


@dataclass(frozen=True, slots=True)
class Database:
    reachable: bool
    primary: bool | None
    problem: str = ""
    layout: Layout | None = None


@dataclass(frozen=True, slots=True)
class Depth:
    """A queue as the broker counts it: messages not delivered yet, and subscribers."""

    messages: int | None
    consumers: int | None


async def database(url: str) -> Database:
    """Whether it answers and takes writes, and the current layout where the books exist."""
    try:
        async with asyncio.timeout(LIMIT_S):
            connection = await connect_owner(url)
            try:
                primary = not await connection.fetchval("SELECT pg_is_in_recovery()")
                layout = await _layout(connection)
            finally:
                connection.terminate()
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as problem:
        return Database(False, None, _said(problem))
    return Database(True, primary, "", layout)


async def depths(url: str, queues: Sequence[str]) -> tuple[str, dict[str, Depth]]:
    """What is wrong with the broker (empty: nothing), and the depth of each queue it has."""
    found: dict[str, Depth] = {}
    try:
        async with asyncio.timeout(LIMIT_S):
            await _knock(url)
            connection = await aio_pika.connect(url, timeout=LIMIT_S)
            try:
                for queue in queues:
                    found[queue] = await _depth(connection, queue)
            finally:
                await connection.close()
    except (OSError, TimeoutError, AMQPError) as problem:
        return _said(problem), found
    return "", found


async def alarms(port: int, user: str, password: str) -> str:
    """``none``, ``alarm`` or ``unknown``, as the broker's own health check says."""
    try:
        async with asyncio.timeout(LIMIT_S):
            status = await asyncio.to_thread(_health_check, port, user, password)
    except (OSError, TimeoutError, http.client.HTTPException):
        return "unknown"
    return {_OK: "none", _ALARM: "alarm"}.get(status, "unknown")


async def _layout(connection: asyncpg.Connection) -> Layout | None:
    """The layout in force; None before the first migration."""
    try:
        return (await read_deployment(connection)).layout
    except (asyncpg.UndefinedTableError, NotPrepared):
        return None


async def _knock(url: str) -> None:
    """Raises ``OSError`` where nobody listens; the client library would warn and log besides."""
    parts = urlsplit(url)
    port = parts.port or (5671 if parts.scheme == "amqps" else 5672)
    _, writer = await asyncio.open_connection(parts.hostname, port)
    writer.close()


async def _depth(connection: aio_pika.abc.AbstractConnection, queue: str) -> Depth:
    # A channel each: asking for a queue that is not there closes the channel.
    channel = await connection.channel()
    try:
        declared = await channel.declare_queue(queue, passive=True)
    except ChannelClosed:
        return Depth(None, None)
    counted = declared.declaration_result
    await channel.close()
    return Depth(counted.message_count, counted.consumer_count)


def _health_check(port: int, user: str, password: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT_S)
    try:
        credentials = base64.b64encode(f"{user}:{password}".encode()).decode()
        connection.request(
            "GET", "/api/health/checks/alarms", headers={"Authorization": f"Basic {credentials}"}
        )
        return connection.getresponse().status
    finally:
        connection.close()


def _said(problem: BaseException) -> str:
    return f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
