"""The table of commands, and what each of them promises before it touches anything."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cli.__main__ import COMMANDS, main
from cli.access import Access
from cli.home import ROOT, Home, path_for_children
from cli.plans import counts, for_machine, with_metrics_ports
from cli.supervision.child import Plan
from cli.test import SUITES, environment_of_tests
from topology.settings import Settings


@pytest.mark.parametrize("name", list(COMMANDS))
def test_every_command_of_the_table_is_there(name: str) -> None:
    assert isinstance(main, click.Group)
    assert main.get_command(click.Context(main), name) is not None


def test_an_unknown_command_is_a_usage_error() -> None:
    assert isinstance(main, click.Group)
    assert main.get_command(click.Context(main), "nonsense") is None


def test_help_imports_no_library_that_takes_its_time() -> None:
    code = "import cli.__main__, sys; print([m for m in sys.modules if '.' not in m])"
    loaded = subprocess.run(
        [sys.executable, "-c", code],
        env=path_for_children({}),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for library in ("asyncpg", "aio_pika", "fastapi", "pydantic", "rich"):
        assert f"'{library}'" not in loaded


@pytest.mark.parametrize(
    ("cores", "gateways", "consumers"), [(1, 1, 1), (2, 1, 1), (4, 2, 1), (8, 4, 2), (64, 8, 8)]
)
def test_processes_follow_the_cores(cores: int, gateways: int, consumers: int) -> None:
    assert counts(cores) == (gateways, consumers)


def test_gateways_know_how_many_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    ways = Access("owner", "writer", "reader", "admin", "gateway", "consumer", frozenset())
    planned = for_machine(Home(tmp_path), Settings(), ways, 5)
    gateways = [plan for plan in planned if "gateway" in plan.arguments]
    assert [plan.environment["SOV_GATEWAYS"] for plan in gateways] == ["4"] * 4


def test_processes_on_one_machine_do_not_fight_over_the_metrics_port() -> None:
    plans = [Plan(name, (), {"A": "b"}, Path(), 1) for name in ("gateway", "consumer", "relay")]
    assert with_metrics_ports(plans, None) == plans
    ports = [plan.environment["SOV_METRICS_PORT"] for plan in with_metrics_ports(plans, 9000)]
    assert ports == ["9000", "9001", "9002"]


def test_every_tier_of_tests_is_run() -> None:
    tiers = {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/conftest.py")}
    tiers |= {f"tests/{path.parent.name}" for path in (ROOT / "tests").glob("*/test_*.py")}
    assert sorted(tiers) == sorted(path for paths in SUITES for path in paths)


def test_tests_never_see_the_servers_of_the_running_system() -> None:
    given = {
        "SOV_DATABASE_URL": "x",
        "SOV_HOME": "x",
        "SOV_TEST_SERVERS": "private",
        "PATH": "/bin",
    }
    assert set(environment_of_tests(given)) == {
        *("SOV_TEST_SERVERS", "PATH"),
        *path_for_children({}),
    }
