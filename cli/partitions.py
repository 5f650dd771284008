"""`./sov partitions`: pausing and resuming partitions, recorded with who and why."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import asyncpg
import click

from cli.actor import actor
from cli.books import with_books
from ledger import interventions
from ledger.deployment import read_deployment
from ledger.interventions import State


@click.group("partitions")
def command() -> None:
    """Stop and start single partitions, or all."""


def _options(function: Callable[..., None]) -> Callable[..., None]:
    """PARTITION and --reason, alike for both commands."""
    argument = click.argument("partition", metavar="P|all")
    reason = click.option("--reason", required=True, help="Why, for whoever asks later.")
    return argument(reason(function))


@command.command("pause")
@_options
def pause(partition: str, reason: str) -> None:
    """Take no new commands (503) and apply none; those that wait may expire meanwhile."""
    numbers = with_books(_intervention(partition, State.PAUSED, reason))
    click.echo(f"paused within 2 s: {_listed(numbers)}")


@command.command("resume")
@_options
def resume(partition: str, reason: str) -> None:
    """Go on where the partition was paused, what waits first."""
    numbers = with_books(_intervention(partition, State.OPEN, reason))
    click.echo(f"resumed within 2 s: {_listed(numbers)}")


def _intervention(
    partition: str, state: State, reason: str
) -> Callable[[asyncpg.Connection[Any]], Awaitable[list[int]]]:
    async def work(connection: asyncpg.Connection[Any]) -> list[int]:
        numbers = await _numbers(connection, partition)
        await interventions.record(
            connection, numbers, state, actor=actor(), reason=reason.strip()[:300]
        )
        return numbers

    if not reason.strip():
        raise click.ClickException("--reason must say why")
    return work


async def _numbers(connection: asyncpg.Connection[Any], partition: str) -> list[int]:
    count = (await read_deployment(connection)).layout.partitions
    if partition == "all":
        return list(range(count))
    if not partition.isdecimal() or int(partition) >= count:
        raise click.ClickException(f"there is no partition {partition}: say 0 to {count - 1}, all")
    return [int(partition)]


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers))
