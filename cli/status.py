"""`./sov status`: one look at everything, for people or as JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

import click
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from cli import overview
from cli.home import Home, home
from cli.overview import EXIT_CODES, Overview

_EVERY_S = 1.0
_COLOURS = {"ready": "green", "degraded": "yellow", "down": "red"}
_BANKS = {
    "none": "(set SOV_BANK_API_URL and its credentials, or SOV_BANK_ACCOUNTS where statements come"
    " as files, or SOV_BANK_SIMULATOR=1)",
    "files": "(no API: statements are handed in, payments go in files)",
}


@click.command("status")
@click.option(
    "--json", "as_json", is_flag=True, help="One JSON object (with --watch one a second)."
)
@click.option("--watch", is_flag=True, help="Refresh every second until interrupted.")
def command(as_json: bool, watch: bool) -> None:
    """Exit code 0 ready, 1 degraded, 3 down."""
    # The broker's client logs refused connections; here they are part of the answer.
    logging.disable(logging.CRITICAL)
    here = home(os.environ)
    if watch:
        try:
            asyncio.run(_watch(here, as_json))
        except KeyboardInterrupt:
            return
    seen = asyncio.run(overview.look(here))
    _show(seen, as_json)
    sys.exit(EXIT_CODES[seen.condition])


async def _watch(here: Home, as_json: bool) -> None:
    if as_json:
        while True:
            _show(await overview.look(here), as_json=True)
            await asyncio.sleep(_EVERY_S)
    with Live(Text("looking"), auto_refresh=False) as live:
        while True:
            live.update(render(await overview.look(here)), refresh=True)
            await asyncio.sleep(_EVERY_S)


def _show(seen: Overview, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(seen.as_json(), default=str))
    else:
        Console().print(render(seen))


def render(seen: Overview) -> Group:
    """The page a person sees."""
    head = Text.assemble(
        "Store of Value is ",
        (seen.condition, _COLOURS[seen.condition]),
        f"  {seen.url}" if seen.condition != "down" else "",
        "  (the supervisor does not answer: what follows is old)"
        if seen.supervisor.get("stale")
        else "",
    )
    if seen.condition == "down":
        return Group(head)
    servers = Text(
        f"database {_answer(seen.database)}, primary: {seen.database['primary']};"
        f" broker {_answer(seen.broker)}, alarms: {seen.broker['alarms']}"
    )
    kind = str(seen.bank["kind"])
    bank = Text(f"bank: {kind} {_BANKS.get(kind, seen.bank['url'])}".rstrip())
    return Group(head, servers, bank, _processes(seen), _partitions(seen))


def _answer(server: dict[str, object]) -> str:
    return "answers" if server["reachable"] else f"does not answer ({server['problem']})"


def _processes(seen: Overview) -> Table:
    table = Table("process", "pid", "state", "restarts", "last end", title_justify="left")
    for each in seen.processes:
        cells = (
            *(str(each[column] or "-") for column in ("name", "pid", "state")),
            str(each["restarts"]),
            str(each["reason"]),
        )
        table.add_row(*map(Text, cells))  # a reason is anybody's text, and "[" is markup in a str
    return table


def _partitions(seen: Overview) -> Table:
    columns = {
        "partition": "partition",
        "messages": "messages",
        "waiting_commands": "commands",
        "oldest_waiting_s": "oldest, s",
        "consumer": "consumer",
        "epoch": "epoch",
        "paused": "paused",
    }
    table = Table(*columns.values())
    for each in seen.partitions:
        cells = ("-" if each[key] is None else str(each[key]) for key in columns)
        table.add_row(*map(Text, cells))
    return table
