"""The way to the books for commands that work on them directly."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import asyncpg
import click

from cli.access import BadSettings, settings_here, stored
from cli.home import home
from ledger.database import connect_owner

T = TypeVar("T")


def owner_dsn() -> str:
    """``SOV_DATABASE_URL``, or the private server's where ``up`` has made one."""
    here = home(os.environ)
    try:
        settings = settings_here(os.environ, here.kept)
    except BadSettings as problem:
        raise click.ClickException(str(problem)) from None
    if settings.database_url is not None:
        return settings.owner_dsn
    ways = stored(here.access_file)
    if ways is None:
        raise click.ClickException("no database yet: run ./sov up, or set SOV_DATABASE_URL")
    return ways.owner


def with_books(work: Callable[[asyncpg.Connection[Any]], Awaitable[T]]) -> T:
    """Run ``work`` on a connection of the books' owner; errors end the command in one line."""

    async def connected() -> T:
        connection = await connect_owner(owner_dsn())
        try:
            return await work(connection)
        finally:
            await connection.close(timeout=3)

    try:
        return asyncio.run(connected())
    except (OSError, TimeoutError) as problem:
        raise click.ClickException(f"the database does not answer: {problem}") from None
    except (asyncpg.UndefinedTableError, asyncpg.InvalidSchemaNameError):
        raise click.ClickException("the database has no books yet: run ./sov migrate") from None
    except asyncpg.PostgresError as problem:
        raise click.ClickException(f"the database refused: {problem}") from None
