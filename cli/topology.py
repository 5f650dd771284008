"""`./sov topology`: changing the number of partitions of a running system."""

from __future__ import annotations

import os
from typing import Any

import asyncpg
import click

from cli.access import settings_here, stored
from cli.actor import actor
from cli.books import with_books
from cli.home import home
from ledger.layouts import LayoutMoved, NoLayoutLeft
from topology import connections
from topology.connections import BROKER_ERRORS
from topology.declare import DeclaredDifferently
from topology.repartition import NotDrained, Repartitioning, Stopped


@click.group("topology")
def command() -> None:
    """The queues and how commands are spread over them."""


@command.command("repartition")
@click.argument("partitions", type=click.IntRange(1, 256))
@click.option(
    "--drain-limit",
    type=click.FloatRange(1, 600),
    default=30.0,
    show_default=True,
    help="Seconds that commands under way have to be applied before it is given up.",
)
def repartition(partitions: int, drain_limit: float) -> None:
    """Spread the wallets over PARTITIONS queues. Callers hear 503 for some seconds meanwhile.

    Run it again with the same number where it was interrupted after the layout had changed.
    """
    url = _administrator()

    async def work(connection: asyncpg.Connection[Any]) -> None:
        broker = await connections.connect(url, "sov-repartition")
        try:
            await Repartitioning(
                connection,
                broker,
                actor=actor(),
                say=click.echo,
                drain_limit_s=drain_limit,
            ).run(partitions)
        finally:
            await connections.close(broker)

    try:
        with_books(work)
    except (NotDrained, Stopped, LayoutMoved, NoLayoutLeft, DeclaredDifferently) as problem:
        raise click.ClickException(str(problem)) from None
    except BROKER_ERRORS as problem:
        raise click.ClickException(f"the broker does not answer: {problem}") from None
    click.echo("done")


def _administrator() -> str:
    here = home(os.environ)
    settings = settings_here(os.environ, here.kept)
    if settings.amqp_url is not None:
        return settings.admin_amqp_url
    ways = stored(here.access_file)
    if ways is None:
        raise click.ClickException("no broker yet: run ./sov up, or set SOV_AMQP_URL")
    return ways.administrator
