"""`./sov env`: what a shell needs to call the system, quoted for `eval`."""

from __future__ import annotations

import os
import shlex

import click

from cli.access import stored
from cli.home import home
from cli.servers.kept import read_json
from cli.supervision import state

KEYS = ("eclipse", "operator", "batch", "reader", "bank", "approver")


@click.command("env")
def command() -> None:
    """Print `export NAME=value` lines."""
    here = home(os.environ)
    snapshot = state.read(here.state_file)
    ways = stored(here.access_file)
    keys = read_json(here.keys_file)
    if snapshot is None or ways is None or any(name not in keys for name in KEYS):
        raise click.ClickException("there is nothing to print yet: run ./sov up first")
    values = {
        "SOV_URL": snapshot.url,
        **{f"SOV_KEY_{name.upper()}": str(keys[name]) for name in KEYS},
        "SOV_AMQP_URL": ways.administrator,
        "SOV_DATABASE_URL": ways.owner,
    }
    for name, value in values.items():
        click.echo(f"export {name}={shlex.quote(value)}")
