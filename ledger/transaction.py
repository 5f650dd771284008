"""One transaction's beginning and its two ends, on a writer's connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

import asyncpg

from ledger.database import UNREACHABLE

_SILENCE_S: Final = 5.0


class CommitUnknown(Exception):
    """The connection was lost in COMMIT: the batch is in the books, or not. Look, then answer."""


async def begin(connection: asyncpg.Connection) -> None:
    """Open a transaction, if none is open yet. READ COMMITTED: it sees what its statements see."""
    # A closed one has no transaction to ask for: BEGIN raises what it should.
    if connection.is_closed() or not connection.is_in_transaction():
        await connection.execute("BEGIN")


async def commit(
    connection: asyncpg.Connection, meanwhile: Callable[[], None] | None = None
) -> None:
    """COMMIT, never cancelled: a cancelled one may have happened. ``meanwhile`` is called by the
    loop once it is on its way. Raises ``CommitUnknown``."""
    warnings: list[object] = []

    def heed(_: object, warning: object) -> None:
        warnings.append(warning)

    connection.add_log_listener(heed)
    committing = asyncio.ensure_future(connection.execute("COMMIT"))
    if meanwhile is not None:
        # Not in the coming turn of the loop: at its end the message goes to the socket.
        loop = asyncio.get_running_loop()
        loop.call_soon(loop.call_soon, meanwhile)
    await asyncio.wait({committing}, timeout=_SILENCE_S)
    if not committing.done() or warnings:
        connection.terminate()
        await asyncio.wait({committing})
    connection.remove_log_listener(heed)
    if warnings:
        # Somebody ended the wait for a standby: committed here, perhaps lost with this server. The
        # next connection's first commit waits for the standby again, and for this one with it.
        raise CommitUnknown(str(warnings[0]))
    try:
        tag = committing.result()
    except UNREACHABLE as error:
        raise CommitUnknown from error
    if tag != "COMMIT":
        raise asyncpg.InFailedSQLTransactionError(f"COMMIT answered {tag}")


async def rollback(connection: asyncpg.Connection) -> None:
    """End the transaction without effect; a connection that cannot do that is thrown away."""
    if connection.is_closed():
        return
    try:
        async with asyncio.timeout(_SILENCE_S):
            await connection.execute("ROLLBACK")
    except (*UNREACHABLE, asyncpg.PostgresError):
        connection.terminate()
