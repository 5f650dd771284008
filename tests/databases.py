"""Databases with books in them, one per test, copied from a template that was migrated once."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from ledger import migrate
from ledger.audit import audit
from ledger.database import connect_owner
from tests.servers import Servers

WRITER_PASSWORD = "writer-of-tests"
READER_PASSWORD = "reader-of-tests"
UPLOADER_PASSWORD = "uploader-of-tests"
BANKER_PASSWORD = "banker-of-tests"


@dataclass(frozen=True, slots=True)
class Database:
    """One database by role."""

    owner: str
    writer: str
    reader: str
    uploader: str
    banker: str


async def make_template(servers: Servers) -> str:
    """A migrated database to copy from; answers its name."""
    name = f"sov_template_{secrets.token_hex(4)}"
    await _administer(servers, f"CREATE DATABASE {name}")
    await migrate.prepare(
        with_database(servers.admin_dsn, name),
        writer_password=WRITER_PASSWORD,
        reader_password=READER_PASSWORD,
        uploader_password=UPLOADER_PASSWORD,
        banker_password=BANKER_PASSWORD,
    )
    return name


async def drop(servers: Servers, name: str) -> None:
    await _administer(servers, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@asynccontextmanager
async def copied(
    servers: Servers, template: str, *, audited: bool = True
) -> AsyncIterator[Database]:
    """A fresh copy, dropped at the end; before that its books are audited."""
    name = f"sov_test_{secrets.token_hex(6)}"
    await _administer(servers, f"CREATE DATABASE {name} TEMPLATE {template}")
    database = named(servers, name)
    try:
        yield database
        if audited:
            await assert_books_hold(database.owner)
    finally:
        await drop(servers, name)


def named(servers: Servers, name: str) -> Database:
    dsn = with_database(servers.admin_dsn, name)
    return Database(
        owner=dsn,
        writer=with_user(dsn, "sov_writer", WRITER_PASSWORD),
        reader=with_user(dsn, "sov_reader", READER_PASSWORD),
        uploader=with_user(dsn, "sov_uploader", UPLOADER_PASSWORD),
        banker=with_user(dsn, "sov_banker", BANKER_PASSWORD),
    )


async def assert_books_hold(dsn: str) -> None:
    connection = await connect_owner(dsn)
    try:
        broken = [finding for finding in await audit(connection) if not finding.holds]
    finally:
        await connection.close()
    assert not broken, broken


async def _administer(servers: Servers, statement: str) -> None:
    connection = await asyncpg.connect(servers.admin_dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def with_database(dsn: str, name: str) -> str:
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


def with_user(dsn: str, user: str, password: str) -> str:
    parts = urlsplit(dsn)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{host}"))
