"""`./sov torture`: a system of its own under load and faults, and then the audit."""

from __future__ import annotations

import os
import subprocess
import sys

import click

from cli.home import ROOT
from cli.test import environment_of_tests

MODULE = "tests.simulation.torture"


@click.command("torture")
@click.option("--minutes", type=float, default=5.0, show_default=True, help="How long.")
@click.option("--seed", type=int, help="Repeat a run's choices; without it a new one, printed.")
@click.option("--json", "json_file", type=click.Path(dir_okay=False), help="The report, as JSON.")
@click.option("--save", type=click.Path(file_okay=False), help="Keep history and logs there.")
def command(minutes: float, seed: int | None, json_file: str | None, save: str | None) -> None:
    """Kill, freeze and cut a system in a temporary home beside seeded traffic.

    Exit code 0 only if nothing was lost, doubled or answered wrongly, the books hold, and the
    service came back by itself each time. A running system is not touched.
    """
    wishes = {
        "--minutes": str(minutes),
        "--seed": None if seed is None else str(seed),
        # The run starts in the project's folder; files are meant where the caller is.
        "--json": None if json_file is None else os.path.abspath(json_file),
        "--save": None if save is None else os.path.abspath(save),
    }
    arguments = [
        word for name, value in wishes.items() if value is not None for word in (name, value)
    ]
    sys.exit(
        subprocess.run(
            [sys.executable, "-m", MODULE, *arguments],
            cwd=ROOT,
            env=environment_of_tests(os.environ),
            check=False,
        ).returncode
    )
