"""`./sov migrate`: schema, roles and the first layout; queues where a broker is known."""

from __future__ import annotations

import asyncio
import os

import asyncpg
import click

from cli.books import owner_dsn
from ledger import migrate
from topology.connections import BROKER_ERRORS
from topology.declare import DeclaredDifferently, declare_from_books
from topology.settings import Settings


@click.command("migrate")
@click.option("--print-roles", is_flag=True, help="Print the SQL of the roles, change nothing.")
def command(print_roles: bool) -> None:
    """Bring the database up to this version. Safe to run again."""
    if print_roles:
        click.echo(migrate.roles_sql())
        return
    try:
        asyncio.run(_migrate())
    except (migrate.MigrationChanged, DeclaredDifferently) as problem:
        raise click.ClickException(str(problem)) from None
    except asyncpg.PostgresError as problem:
        raise click.ClickException(f"the database refused: {problem}") from None
    except BROKER_ERRORS as problem:
        raise click.ClickException(f"a server does not answer: {problem}") from None


async def _migrate() -> None:
    settings = Settings()
    dsn = owner_dsn()
    ran = await migrate.prepare(
        dsn,
        writer_password=os.environ.get("SOV_WRITER_PASSWORD"),
        reader_password=os.environ.get("SOV_READER_PASSWORD"),
        partitions=settings.partitions,
    )
    click.echo(f"migrations: {', '.join(ran) if ran else 'nothing to do'}")
    if settings.amqp_url is not None:
        layout = await declare_from_books(settings.admin_amqp_url, dsn)
        click.echo(f"queues: layout {layout.number} with {layout.partitions} partitions")
