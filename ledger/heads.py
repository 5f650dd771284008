"""Owning partitions: the fence that stops a consumer which was replaced without knowing it.

A partition has one owner, the holder of its latest epoch. Taking over moves the epoch; every batch
locks the head rows and compares, so a thawed former owner writes nothing more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

import asyncpg

from ledger.fence import Fence
from ledger.sql import HEADS as SQL

_SWEEP_MARGIN: Final = timedelta(minutes=1)
_SWEEP_LIMIT: Final = 1000
_SILENCE: Final = timedelta(seconds=3)
_TAKE_OVER_TRIES: Final = 5


class Unowned(Exception):
    """The partition could not be taken over: its head row is missing, or stays locked."""


async def take_over(connection: asyncpg.Connection, layout: int, partition: int) -> int:
    """Become the owner of the partition; answers the new epoch. Raises ``Unowned``.

    Waits a second at a time for the former owner's transaction, then ends its session.
    """
    for _ in range(_TAKE_OVER_TRIES):
        try:
            async with connection.transaction():
                await connection.execute("SET LOCAL lock_timeout = '1s'")
                epoch = await connection.fetchval(SQL.take_over, layout, partition)
        except asyncpg.LockNotAvailableError:
            await connection.fetch(SQL.end_owner, layout, partition)
            continue
        if epoch is None:
            raise Unowned(f"layout {layout} has no partition {partition} in the books")
        return int(epoch)
    raise Unowned(f"partition {partition} stays locked by a session that is not its owner's")


async def reown(connection: asyncpg.Connection, fence: Fence) -> frozenset[int]:
    """Own with a new connection what the fence still holds; answers the partitions that were lost.

    When it returns, no transaction of the former connection can still commit.
    """
    epochs = fence.epochs
    rows = await connection.fetch(SQL.reown, fence.layout, list(epochs), list(epochs.values()))
    return frozenset(epochs) - {row["partition"] for row in rows}


async def wait_for_turn(connection: asyncpg.Connection) -> None:
    """Within a transaction: hold the turn of all writers until it ends.

    Raises ``asyncpg.LockNotAvailableError`` where another has it for too long.
    """
    await connection.fetch(SQL.turn)


async def tick(
    connection: asyncpg.Connection,
    layout: int,
    epochs: Mapping[int, int],
    earliest: Mapping[int, datetime],
) -> dict[int, datetime]:
    """Move the clocks of idle partitions to now, or to ``earliest`` where that is later.

    Answers where they stand; one that is missing is owned by another process by now.
    """
    rows = await connection.fetch(
        SQL.tick, layout, list(epochs), list(epochs.values()), [earliest.get(p) for p in epochs]
    )
    return {row["partition"]: row["decided_at"] for row in rows}


async def sweep(connection: asyncpg.Connection) -> int:
    """Mark reservations that expired a while ago as ended; answers how many."""
    return len(await connection.fetch(SQL.sweep, _SWEEP_MARGIN, _SWEEP_LIMIT))


async def times(connection: asyncpg.Connection, layout: int) -> dict[int, datetime]:
    """Where the partitions' clocks stand. Owners tick every second: one that stands has none."""
    rows = await connection.fetch(SQL.times, layout)
    return {row["partition"]: row["decided_at"] for row in rows}


async def announce(
    connection: asyncpg.Connection, slot: int, slots: int, process: str
) -> frozenset[int]:
    """Say that this consumer is alive; answers the slots of all that are."""
    await connection.execute(SQL.announce, slot, slots, process)
    rows = await connection.fetch(SQL.neighbours, _SILENCE)
    return frozenset(row["slot"] for row in rows)


class HeadState(NamedTuple):
    """How far a partition has come."""

    partition: int
    epoch: int
    last_number: int
    last_hash: bytes
    decided_at: datetime


async def states(
    connection: asyncpg.Connection, layout: int, partitions: Iterable[int]
) -> list[HeadState]:
    """Where partitions stand: the state to keep outside the database as well."""
    return [HeadState(*row) for row in await connection.fetch(SQL.state, layout, list(partitions))]
