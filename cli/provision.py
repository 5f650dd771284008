"""What stands between servers that answer and processes that can use them.

Three steps, each idempotent, each belonging to another package: run at every ``./sov up``.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cli.access import Access
from ledger import migrate


@dataclass(frozen=True, slots=True)
class Provisioning:
    """``writer_password`` and ``reader_password`` are None where URLs for these roles were given or
    the database was: then the roles are not ours to make."""

    access: Access
    partitions: int
    writer_password: str | None
    reader_password: str | None
    keys_file: Path


async def provision(needs: Provisioning) -> None:
    """Schema and roles, then queues, then the four API keys (see ``Home.keys_file``).

    Raises what these raise; nothing is running yet then, and running it again is safe.
    """
    await _schema_and_roles(needs)
    await _queues(needs)
    await _api_keys(needs)


async def _schema_and_roles(needs: Provisioning) -> None:
    await migrate.prepare(
        needs.access.owner,
        writer_password=needs.writer_password,
        reader_password=needs.reader_password,
        partitions=needs.partitions,
    )


async def _queues(needs: Provisioning) -> None:
    """WIRE: ``topology.declare.declare_from_books(owner, administrator)``."""


async def _api_keys(needs: Provisioning) -> None:
    """WIRE: ``ledger.keys.ensure``; write ``{"eclipse": key, ...}`` with ``kept.write_json(...,
    secret=True)`` to ``needs.keys_file``."""
