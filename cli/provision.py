"""What stands between servers that answer and processes that can use them.

Three steps, each idempotent, each belonging to another package: run at every ``./sov up``.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from asyncpg import Connection

from cli.access import Access
from cli.servers.kept import read_json, write_json
from ledger import keys, migrate
from ledger.database import connect_owner
from ledger.keys import Scope
from topology.declare import declare_from_books


@dataclass(frozen=True, slots=True)
class Provisioning:
    """The roles' passwords are None where URLs for them were given or the database was: then the
    roles are not ours to make."""

    access: Access
    partitions: int
    writer_password: str | None
    reader_password: str | None
    uploader_password: str | None
    banker_password: str | None
    keys_file: Path


async def provision(needs: Provisioning) -> None:
    """Schema and roles, then queues, then an API key per scope (see ``Home.keys_file``).

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
        uploader_password=needs.uploader_password,
        banker_password=needs.banker_password,
        partitions=needs.partitions,
    )


async def _queues(needs: Provisioning) -> None:
    await declare_from_books(needs.access.administrator, needs.access.owner)


async def _api_keys(needs: Provisioning) -> None:
    """One key per scope, kept as long as the books know it and it is valid."""
    kept = read_json(needs.keys_file)
    connection = await connect_owner(needs.access.owner)
    try:
        now = datetime.now(UTC)
        valid = {k.secret_hash for k in await keys.load_all(connection) if k.is_valid_at(now)}
        for scope in Scope:
            if keys.hash_secret(str(kept.get(scope.value))) not in valid:
                kept[scope.value] = await _create_key(connection, scope)
                write_json(needs.keys_file, kept, secret=True)
    finally:
        await connection.close()


async def _create_key(connection: Connection, scope: Scope) -> str:
    # What one person asks for at the bank another one approves: each key is another person's.
    owner = f"{scope.value} of ./sov up"
    try:
        return await keys.create(connection, scope.value, [scope], owner=owner)
    except keys.KeyNameTaken:
        # Another installation shares the books and made its keys first; they cannot be read back.
        name = f"{scope.value}-{secrets.token_hex(3)}"
        return await keys.create(connection, name, [scope], owner=owner)
