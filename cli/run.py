"""`./sov run`: one process in the foreground, configured by its environment, drained by SIGTERM."""

from __future__ import annotations

import importlib
import sys

import click

PROGRAMS = {
    "gateway": "gateway.__main__",
    "consumer": "consumers.__main__",
    "relay": "producers.__main__",
    "bulk": "producers.bulk.__main__",
    "bank": "bank.__main__",
    "reconciler": "bank.reconciliation.__main__",
}


@click.command("run")
@click.argument("program", type=click.Choice(list(PROGRAMS)))
def command(program: str) -> None:
    """Run PROGRAM until it is told to stop. JSON logs on stdout."""
    sys.exit(importlib.import_module(PROGRAMS[program]).main())
