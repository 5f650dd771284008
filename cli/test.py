"""`./sov test`: everything that must hold before a change lands."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import click

from cli.home import ROOT, path_for_children

CHECKS = {
    "formatting": ("ruff", "format", "--check", "."),
    "lint": ("ruff", "check", "."),
    "types": ("mypy",),
}


#: What is run, and by how many workers. Most tests wait most of their time, for processes and for
#: clocks: files run side by side, each worker with servers of its own.
SUITES = {
    ("tests/simulation", "tests/acceptance", "tests/integration", "tests/unit"): 3,
    ("tests/faults",): 2,
}


@click.command(
    "test",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    add_help_option=False,  # `./sov test --help` is pytest's
)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Lint, types and the whole suite; with ARGUMENTS pytest alone."""
    environment = environment_of_tests(os.environ)
    if arguments:
        sys.exit(_run(("pytest", *arguments), environment))
    # All checks are run and named even if one fails: they take seconds. The tests then wait.
    failed = [name for name, check in CHECKS.items() if _run(check, environment) != 0]
    if not failed:
        failed = [
            " ".join(paths)
            for paths, workers in SUITES.items()
            if _run_suite(paths, workers, environment) != 0
        ]
    if failed:
        raise click.ClickException(f"failed: {', '.join(failed)}")


def _run_suite(paths: tuple[str, ...], workers: int, environment: Mapping[str, str]) -> int:
    # Servers that are given are only one of each, and a test expects them to itself.
    given = "SOV_TEST_DATABASE_URL" in environment or "SOV_TEST_AMQP_URL" in environment
    count = 0 if given else workers
    # In this order, because the longest file comes first.
    beside = ("-n", str(count), "--dist", "loadfile", "--no-loadscope-reorder")
    return _run(("pytest", *beside, *paths), environment)


def environment_of_tests(environment: Mapping[str, str]) -> dict[str, str]:
    """Nothing of the running system: tests must never reach the servers that `up` uses."""
    kept = {
        name: value
        for name, value in environment.items()
        if not name.startswith("SOV_") or name.startswith("SOV_TEST_")
    }
    return {**kept, **path_for_children(kept)}


def _run(arguments: tuple[str, ...], environment: Mapping[str, str]) -> int:
    click.echo(f"$ {' '.join(arguments)}", err=True)
    return subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=dict(environment), check=False
    ).returncode
