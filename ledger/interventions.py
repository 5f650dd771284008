"""Stopping and starting partitions: an operator's pause, and the drain before a repartitioning.

Kept in the books because a queue cannot be paused on the broker, and gateways and consumers must
agree on it. Written by the owner, not through the queue: what is stopped could not be started by
what waits in it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

import asyncpg

from ledger.database import Queries
from ledger.sql import INTERVENTIONS as SQL


class State(StrEnum):
    OPEN = "OPEN"
    DRAINING = "DRAINING"
    """Takes no new commands, applies those it has."""
    PAUSED = "PAUSED"
    """Takes no new commands and applies none; those that wait may expire."""


class Intervention(NamedTuple):
    """Why a partition is not simply open."""

    partition: int
    state: State
    until: datetime | None
    """When it ends by itself: a drain does, so that it cannot outlive who began it."""
    actor: str
    reason: str
    made: datetime


async def record(
    connection: asyncpg.Connection,
    partitions: Sequence[int],
    state: State,
    *,
    actor: str,
    reason: str,
    lasting: timedelta | None = None,
) -> None:
    """Gateways and consumers heed it within some two seconds. ``reason``: 1..300 characters."""
    await connection.execute(SQL.record, partitions, state.value, lasting, actor, reason)


async def in_force(connection: Queries) -> dict[int, Intervention]:
    """By partition; those that are open are missing."""
    rows = await connection.fetch(SQL.in_force)
    return {
        row["partition"]: Intervention(
            row["partition"],
            State(row["state"]),
            row["until"],
            row["actor"],
            row["reason"],
            row["made"],
        )
        for row in rows
    }
