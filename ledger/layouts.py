"""Changing the number of partitions: the moment at which the books go over to another layout."""

from __future__ import annotations

from typing import Final

import asyncpg

from ledger import chain, interventions
from ledger.database import Queries
from ledger.deployment import Layout
from ledger.interventions import State
from ledger.sql import LAYOUTS as SQL

#: The layout's number is one byte of every command id.
LAST_LAYOUT: Final = 255
_LOCK_TIMEOUT: Final = "10s"


class LayoutMoved(Exception):
    """Somebody else has changed the layout meanwhile: look again."""


class NoLayoutLeft(Exception):
    """Command ids have room for 255 layouts, and all of them are used up."""


async def move(
    connection: asyncpg.Connection, current: Layout, partitions: int, *, actor: str, reason: str
) -> Layout:
    """Put a layout of so many partitions into force, and open all of them; answers it.

    One transaction. What the old layout's consumers had not committed by then they never will: they
    find no head row to lock. Raises ``LayoutMoved``, ``NoLayoutLeft``, or
    ``asyncpg.LockNotAvailableError`` where a batch does not end; nothing has changed then.
    """
    if current.number >= LAST_LAYOUT:
        raise NoLayoutLeft(f"layout {current.number} is the last one that command ids can name")
    new = Layout(current.number + 1, partitions)
    async with connection.transaction():
        await connection.execute(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'")
        if not await connection.fetch(SQL.lock, current.number):
            raise LayoutMoved(f"layout {current.number} is not in force any more")
        await connection.execute(SQL.add, new.number, new.partitions)
        await connection.execute(SQL.move_heads, new.number, new.partitions)
        await connection.execute(SQL.add_heads, new.number, new.partitions, chain.GENESIS)
        await connection.execute(SQL.add_relay_cursors)
        every = range(max(current.partitions, partitions))
        await interventions.record(connection, every, State.OPEN, actor=actor, reason=reason)
    return new


async def before(connection: Queries, layout: Layout) -> list[Layout]:
    """Those that were in force once."""
    return [Layout(*row) for row in await connection.fetch(SQL.before, layout.number)]
