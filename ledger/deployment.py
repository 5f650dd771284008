"""What all processes of one installation share, kept in its books."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.database import Queries
from ledger.sql import DEPLOYMENT as SQL


@dataclass(frozen=True, slots=True)
class Layout:
    """A partitioning: its number is in queue names, command ids and head rows."""

    number: int
    partitions: int


@dataclass(frozen=True, slots=True)
class Deployment:
    layout: Layout
    """The layout in force: the latest one."""
    command_id_secret: bytes


class NotPrepared(Exception):
    """The database has a schema but no layout: run ``./sov migrate``."""


async def read_deployment(connection: Queries) -> Deployment:
    """Raises ``NotPrepared``, or an ``asyncpg`` error where the schema is missing."""
    row = await connection.fetchrow(SQL.read)
    if row is None:
        raise NotPrepared("the books have no layout yet: run ./sov migrate")
    return Deployment(Layout(row["layout"], row["partitions"]), row["command_id_secret"])
