"""`./sov bench`: the benchmark, on servers of its own."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from cli.home import home
from cli.servers.failures import ServerUnavailable


@click.command("bench")
@click.option("--quick", is_flag=True, help="A few minutes; the figures are rough.")
@click.option("--only", multiple=True, metavar="SCENARIO", help="Only these; may be repeated.")
@click.option("--seed", default=1, show_default=True, help="Of everything drawn by chance.")
@click.option(
    "--json",
    "figures",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where all raw figures go.",
)
@click.option(
    "--report",
    "report_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where the report goes, plots beside it [default: .sov/bench/report.md]",
)
def command(
    quick: bool, only: tuple[str, ...], seed: int, figures: Path | None, report_file: Path | None
) -> None:
    """Measure the product beside its baselines. Touches no data and no server of `up`."""
    try:
        # Not part of what is installed in production: measuring needs the sources' folder.
        from bench import programs, run
        from bench.effort import FULL, QUICK
        from bench.scenarios import SCENARIOS
    except ModuleNotFoundError as problem:
        raise click.ClickException(f"this installation has no benchmark ({problem})") from None
    if unknown := set(only) - SCENARIOS.keys():
        names = ", ".join(SCENARIOS)
        raise click.UsageError(f"no scenario {', '.join(sorted(unknown))}; there are: {names}")
    folder = home(os.environ).folder / "bench"
    folder.mkdir(parents=True, exist_ok=True)
    # Settings of a running system must not reach the one that is measured.
    for name in [name for name in os.environ if name.startswith("SOV_")]:
        del os.environ[name]
    order = run.Order(
        effort=QUICK if quick else FULL,
        seed=seed,
        report=report_file or folder / "report.md",
        figures=figures or folder / "figures.json",
        scenarios=only,
    )
    try:
        results = asyncio.run(run.carry_out(order, _say))
    except (programs.Missing, ServerUnavailable) as problem:
        raise click.ClickException(str(problem)) from None
    except asyncio.CancelledError:
        raise click.ClickException("interrupted; everything that was started is stopped") from None
    for problem_text in results.problems:
        click.echo(f"invalid: {problem_text}", err=True)
    sys.exit(1 if results.problems else 0)


def _say(line: str) -> None:
    click.echo(line, err=True)
