"""Bringing a database up to the books' current form.

Migrations are numbered files that are only ever added to; each is recorded with its SHA-256, and a
file that was changed after it ran stops everything. One process migrates at a time (an advisory
lock, which ends with its session), each migration is one transaction.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import resources
from typing import Final

import asyncpg

from ledger import chain
from ledger.database import SCHEMA, connect_owner

_FILE: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_LOCK: Final = 0x736F76  # "sov"
_ROLE: Final = re.compile(r"^-- role: (\w+)\n", re.MULTILINE)
ROLES: Final = ("sov_writer", "sov_reader", "sov_uploader", "sov_banker")


class MigrationChanged(Exception):
    """A migration that already ran has another text now: restore the file, add a new one."""


class SchemaOutdated(Exception):
    """The database and this program are of different versions: run ``./sov migrate``."""


@dataclass(frozen=True, slots=True)
class Migration:
    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """All migrations in order."""
    found = [
        Migration(int(match[1]), match[2], file.read_text())
        for file in resources.files("ledger.migrations").iterdir()
        if (match := _FILE.fullmatch(file.name))
    ]
    return sorted(found, key=lambda migration: migration.number)


def roles_sql() -> str:
    """The SQL that makes the roles, for an administrator to run where the owner may not."""
    created = "\n".join(
        f"CREATE ROLE {role} LOGIN PASSWORD '<choose one>' NOINHERIT;" for role in ROLES
    )
    return f"{created}\n\n{_grants(ROLES)}"


async def prepare(
    owner_dsn: str,
    *,
    writer_password: str | None = None,
    reader_password: str | None = None,
    uploader_password: str | None = None,
    banker_password: str | None = None,
    partitions: int = 8,
) -> list[str]:
    """Migrate, make the roles where their passwords are given, make the first layout.

    Answers the names of the migrations that ran now. Idempotent; raises ``MigrationChanged`` or
    ``asyncpg.PostgresError``.
    """
    connection = await connect_owner(owner_dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
        ran = await migrate(connection)
        given = (writer_password, reader_password, uploader_password, banker_password)
        passwords = dict(zip(ROLES, given, strict=True))
        await _make_roles(connection, passwords)
        await grant(connection)
        await _make_first_layout(connection, partitions)
        return ran
    finally:
        await connection.close()


async def migrate(connection: asyncpg.Connection) -> list[str]:
    """Run what has not run yet, in order. The caller keeps two at once apart (``prepare``)."""
    await connection.execute(
        f"CREATE SCHEMA IF NOT EXISTS {SCHEMA};"
        "CREATE TABLE IF NOT EXISTS migrations ("
        "  number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL,"
        "  ran timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    ran = []
    for migration in migrations():
        async with connection.transaction():
            if await _is_applied(connection, migration):
                continue
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO migrations (number, name, checksum) VALUES ($1, $2, $3)",
                migration.number,
                migration.name,
                migration.checksum,
            )
            ran.append(migration.name)
    return ran


async def require_current(connection: asyncpg.Connection) -> None:
    """Raises ``SchemaOutdated`` unless exactly this program's migrations have run."""
    try:
        rows = await connection.fetch("SELECT number, checksum FROM migrations")
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        rows = []
    if {(r["number"], r["checksum"]) for r in rows} != {
        (m.number, m.checksum) for m in migrations()
    }:
        raise SchemaOutdated("the database's schema is not this program's: run ./sov migrate")


async def grant(connection: asyncpg.Connection) -> None:
    """Let the roles that there are do what they may, and nothing else.

    An installation need not have all of them: where no bulk files are taken nobody makes
    sov_uploader, where no bank is followed nobody makes sov_banker, and the others need their
    rights on new tables all the same.
    """
    rows = await connection.fetch(
        "SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)", list(ROLES)
    )
    present = {row["rolname"] for row in rows}
    if present:
        await connection.execute(_grants([role for role in ROLES if role in present]))


async def _is_applied(connection: asyncpg.Connection, migration: Migration) -> bool:
    checksum = await connection.fetchval(
        "SELECT checksum FROM migrations WHERE number = $1", migration.number
    )
    if checksum not in (None, migration.checksum):
        raise MigrationChanged(f"{migration.number:04}_{migration.name} was changed after it ran")
    return checksum is not None


async def _make_roles(connection: asyncpg.Connection, passwords: dict[str, str | None]) -> None:
    for role, password in passwords.items():
        if password is None:
            continue
        # Roles belong to the whole server: another database's migration may make them right now.
        with suppress(asyncpg.DuplicateObjectError, asyncpg.UniqueViolationError):
            await connection.execute(f"CREATE ROLE {role}")
        literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
        await connection.execute(f"ALTER ROLE {role} LOGIN NOINHERIT PASSWORD {literal}")
        database = await connection.fetchval("SELECT quote_ident(current_database())")
        await connection.execute(f"GRANT CONNECT ON DATABASE {database} TO {role}")


async def _make_first_layout(connection: asyncpg.Connection, partitions: int) -> None:
    async with connection.transaction():
        if await connection.fetchval("SELECT EXISTS (SELECT FROM layouts)"):
            return
        await connection.execute(
            "INSERT INTO layouts (layout, partitions) VALUES (1, $1)", partitions
        )
        await connection.execute(
            "INSERT INTO heads (layout, partition, last_hash, decided_at)"
            " SELECT 1, p, $2, clock_timestamp() FROM generate_series(0, $1 - 1) AS p",
            partitions,
            chain.GENESIS,
        )
        await connection.execute(
            "INSERT INTO relay_cursors (partition) SELECT generate_series(0, $1 - 1)", partitions
        )
        await connection.execute(
            "INSERT INTO deployment (command_id_secret) VALUES ($1)", secrets.token_bytes(32)
        )


def _grants(roles: Sequence[str]) -> str:
    text = resources.files("ledger.sql").joinpath("roles.sql").read_text()
    _, *parts = _ROLE.split(text)
    found = dict(zip(parts[::2], parts[1::2], strict=True))
    return "\n".join(f"-- {role}\n{found[role].strip()}\n" for role in roles)
