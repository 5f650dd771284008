"""The fence: a batch holds the head rows of its partitions, and only their owner gets them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from ledger.sql import EXECUTE as SQL


class FenceLost(Exception):
    """Another process has taken some of the batch's partitions over; nothing was written."""

    def __init__(self, partitions: frozenset[int]) -> None:
        super().__init__(f"lost partitions {sorted(partitions)}")
        self.partitions = partitions


@dataclass(frozen=True, slots=True)
class Fence:
    """What makes a process the owner of partitions: the epochs it took."""

    layout: int
    epochs: Mapping[int, int]


@dataclass(slots=True)
class Head:
    """How far a partition has come; the batch's decisions are counted on it."""

    next_number: int
    next_event: int
    last_hash: bytes
    decided_at: datetime


async def lock_heads(
    connection: asyncpg.Connection, fence: Fence, partitions: set[int]
) -> dict[int, Head]:
    """Hold the partitions' head rows until the transaction ends. Raises ``FenceLost``."""
    heads, _ = await lock(connection, fence, partitions, ())
    return heads


async def lock(
    connection: asyncpg.Connection, fence: Fence, partitions: set[int], wallets: Collection[UUID]
) -> tuple[dict[int, Head], Sequence[asyncpg.Record]]:
    """The same, and the wallets' rows with them, which it answers too."""
    rows = await connection.fetch(SQL.lock, fence.layout, sorted(partitions), list(wallets))
    count = sum(1 for row in rows[: len(partitions)] if row["partition"] is not None)
    owned = {
        row["partition"]
        for row in rows[:count]
        if row["epoch"] == fence.epochs.get(row["partition"])
    }
    if owned != partitions:
        raise FenceLost(frozenset(partitions - owned))
    heads = {
        row["partition"]: Head(
            row["next_number"], row["next_event"], row["last_hash"], row["decided_at"]
        )
        for row in rows[:count]
    }
    return heads, rows[count:]
