"""`./sov bank`: the bank's side of the system."""

from __future__ import annotations

import importlib
import os
import shlex
import sys

import click

from cli import bank_calls, bank_statements
from cli.bank_play import play
from cli.home import home
from cli.simulated_bank import NAME, SimulatedBank
from cli.supervision import state


@click.group("bank")
def command() -> None:
    """What the bank says, and a bank to try everything with."""


for _each in (*bank_calls.COMMANDS, *bank_statements.COMMANDS, play):
    command.add_command(_each)


@command.command("simulator")
@click.option("--port", type=click.IntRange(1, 65_535), help="Else the one it had before.")
def simulator(port: int | None) -> None:
    """Run a simulated bank in the foreground, on this machine alone.

    It behaves as Investec's API does, quirks and faults included; /simulator/… plays what people,
    other banks and time do (docs/bank.md). `up` runs it by itself where no bank is set.
    """
    here = home(os.environ)
    here.make()
    snapshot = state.read(here.state_file)
    if snapshot is not None and snapshot.is_alive():
        for view in snapshot.processes:
            if view.name == NAME:
                raise click.ClickException(f"./sov up runs it already: {view.report.get('url')}")
    bank = SimulatedBank(here, port or here.kept.claim_port(NAME))
    click.echo("# a bank for ./sov run bank, or any other client of Investec's API:", err=True)
    for name, value in bank.for_bank().items():
        click.echo(f"export {name}={shlex.quote(value)}", err=True)
    os.environ.update(bank.for_itself())
    sys.exit(importlib.import_module("bank.simulator.__main__").main())
