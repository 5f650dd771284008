"""`./sov migrate`: schema, roles and first layout; the broker's users and queues where known."""

from __future__ import annotations

import asyncio

import asyncpg
import click
from pydantic import SecretStr

from cli.books import owner_dsn
from cli.servers import broker_users, rabbitmq_conf
from cli.servers.failures import ServerUnavailable
from ledger import migrate
from topology.connections import BROKER_ERRORS
from topology.declare import DeclaredDifferently, declare_from_books
from topology.settings import SettingMissing, Settings


@click.command("migrate")
@click.option("--print-roles", is_flag=True, help="Print the SQL of the roles, change nothing.")
def command(print_roles: bool) -> None:
    """Bring the database up to this version. Safe to run again."""
    if print_roles:
        click.echo(migrate.roles_sql())
        return
    try:
        asyncio.run(_migrate())
    except (
        *(migrate.MigrationChanged, DeclaredDifferently, ServerUnavailable, SettingMissing),
    ) as problem:
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
        writer_password=_plain(settings.writer_password),
        reader_password=_plain(settings.reader_password),
        uploader_password=_plain(settings.uploader_password),
        banker_password=_plain(settings.banker_password),
        partitions=settings.partitions,
    )
    click.echo(f"migrations: {', '.join(ran) if ran else 'nothing to do'}")
    await _make_broker_users(settings)
    if settings.amqp_url is not None:
        layout = await declare_from_books(settings.admin_amqp_url, dsn)
        click.echo(f"queues: layout {layout.number} with {layout.partitions} partitions")


async def _make_broker_users(settings: Settings) -> None:
    """Those whose passwords were given; raises ``SettingMissing`` where it is not said to whom."""
    given = {
        rabbitmq_conf.GATEWAY: _plain(settings.amqp_gateway_password),
        rabbitmq_conf.CONSUMER: _plain(settings.amqp_consumer_password),
    }
    users = {user: password for user, password in given.items() if password is not None}
    if users:
        url = _plain(settings.amqp_management_url)
        if url is None:
            raise SettingMissing("SOV_AMQP_MANAGEMENT_URL is not set")
        await broker_users.make(url, users)
        click.echo(f"broker users: {', '.join(users)}")


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
