"""`./sov demo`: what the system is for, played on a running one, each step checked."""

from __future__ import annotations

import os

import click
import httpx
from rich.console import Console

from cli.demo_atm import AtmRace
from cli.demo_bank import BankStory, simulator
from cli.home import home
from cli.stage import PATIENCE_S, Stage, audited, running_system


@click.command("demo")
@click.argument("story", type=click.Choice(["atm", "bank"]), default="atm")
def command(story: str) -> None:
    """Play the ATM race, or the bank's side, and show each step and the final books."""
    here = home(os.environ)
    url, keys = running_system(here)
    console = Console(highlight=False)
    with httpx.Client(base_url=url, timeout=PATIENCE_S) as client:
        stage = Stage(console, client, keys)
        if story == "atm":
            AtmRace(stage).play()
        else:
            with simulator(here) as bank:
                BankStory(stage, bank).play()
    audited(console)
