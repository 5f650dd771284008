"""`./sov dead-letters`: what was parked, and why."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any
from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from cli.books import with_books
from ledger import dead_letters
from ledger.dead_letters import Parked


@click.group("dead-letters")
def command() -> None:
    """Commands that broke the consumer and messages that could not be read."""


@command.command("list")
@click.option("--limit", type=click.IntRange(1, 10_000), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON lines instead of a table.")
def list_letters(limit: int, as_json: bool) -> None:
    """The newest dead letters, and how often each reason occurs among them."""
    parked = with_books(lambda connection: dead_letters.listed(connection, limit))
    if as_json:
        for each in parked:
            click.echo(json.dumps(_document(each)))
        return
    table = Table("id", "parked", "partition", "command", "reason")
    for letter, created in parked:
        table.add_row(
            str(letter.dead_letter_id),
            created.strftime("%Y-%m-%d %H:%M:%S"),
            str(letter.partition),
            str(letter.command_id or "unreadable"),
            letter.reason,
        )
    console = Console()
    if parked:
        console.print(table)
    for reason, count in Counter(p.letter.reason for p in parked).most_common():
        console.print(f"{count:6}  {reason}", highlight=False)
    if not parked:
        console.print("no dead letters")


@command.command("show")
@click.argument("dead_letter_id", type=click.UUID)
def show(dead_letter_id: UUID) -> None:
    """One dead letter whole: the command, the reason, the traceback."""
    parked = with_books(lambda connection: dead_letters.shown(connection, dead_letter_id))
    if parked is None:
        raise click.ClickException(f"there is no dead letter {dead_letter_id}")
    click.echo(json.dumps(_document(parked), indent=2))
    if parked.letter.traceback is not None:
        click.echo(parked.letter.traceback)


def _document(parked: Parked) -> dict[str, Any]:
    letter = parked.letter
    return {
        "deadLetterId": str(letter.dead_letter_id),
        "created": parked.created.isoformat(),
        "layout": letter.layout,
        "partition": letter.partition,
        "reason": letter.reason,
        "commandId": None if letter.command_id is None else str(letter.command_id),
        "submission": None if letter.submission is None else json.loads(letter.submission),
        "message": None if letter.message is None else letter.message.hex(),
    }
