"""When there is a simulated bank, and who is told its secrets."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from cli import bank, simulated_bank
from cli.access import Access, at_the_bank, without_urls
from cli.home import Home
from cli.overview import bank_of
from cli.plans import for_machine
from cli.servers import processes
from cli.simulated_bank import NAME, SimulatedBank
from cli.supervision import state
from cli.supervision.child import Plan
from cli.supervision.state import ProcessView, Snapshot
from topology.settings import Settings

SECRETS = ("SOV_BANK_CLIENT_ID", "SOV_BANK_CLIENT_SECRET", "SOV_BANK_API_KEY")
WAYS = Access("owner", "writer", "reader", "admin", "gateway", "consumer", frozenset())


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    for name in (*SECRETS, "SOV_BANK_API_URL", "SOV_BANK_ACCOUNTS", "SOV_BANK_SIMULATOR"):
        monkeypatch.delenv(name, raising=False)
    return Home(tmp_path)


def planned(here: Home, bank: SimulatedBank | None) -> dict[str, Plan]:
    plans = for_machine(here, Settings(), WAYS, 5, bank)
    return {plan.name: plan for plan in plans}


@pytest.mark.parametrize(
    ("settings", "is_wanted"),
    [
        ({}, True),
        ({"bank_api_url": "http://127.0.0.1:20003"}, True),
        ({"bank_api_url": "http://127.0.0.1:20003", "bank_client_id": "store-of-value"}, True),
        ({"bank_api_url": "http://127.0.0.1:20004"}, False),
        ({"bank_api_url": "https://openapi.investec.com", "bank_client_id": "me"}, False),
        ({"bank_client_id": "me"}, False),
        ({"bank_api_key": "key"}, False),
        ({"bank_accounts": "4711, 4712"}, False),
        ({"bank_accounts": "4711", "bank_simulator": True}, False),
        ({"bank_accounts": "4711", "bank_api_url": "http://127.0.0.1:20003"}, True),
        ({"bank_simulator": False}, False),
        ({"database_url": "postgresql://books.example/books"}, False),
        ({"database_url": "postgresql://books.example/books", "bank_simulator": True}, True),
        (
            {
                "database_url": "postgresql://books.example/books",
                "bank_api_url": "http://127.0.0.1:20003",
            },
            True,
        ),
    ],
)
def test_it_is_there_unless_another_bank_is_named(
    here: Home, settings: dict[str, Any], is_wanted: bool
) -> None:
    here.kept.keep_port(NAME, 20_003)
    assert simulated_bank.is_wanted(Settings(**settings), here.kept) is is_wanted


def test_no_bank_is_simulated_beside_a_real_one(here: Home) -> None:
    with simulated_bank.simulated(here, Settings(bank_api_url="https://bank.example")) as simulated:
        assert simulated is None
    assert NAME not in planned(here, None)


def test_the_simulator_and_the_bank_process_share_secrets_that_nobody_else_has(here: Home) -> None:
    with simulated_bank.simulated(here, Settings()) as simulated:
        assert simulated is not None
        plans = planned(here, simulated)
        simulator = plans[NAME]
        assert simulator.inherits == (simulated.descriptor,)
        assert simulator.environment["SOV_LISTEN_FD"] == str(simulated.descriptor)
        for name in SECRETS:
            values = {plan.environment.get(name) for plan in plans.values()}
            shared = simulator.environment[name]
            assert plans["bank"].environment[name] == shared
            assert values == {shared, None}
        assert plans["bank"].environment["SOV_BANK_API_URL"] == simulated.url
        assert simulator.environment["SOV_BANK_SIMULATOR_BOOKS"] == str(here.bank_books)
    # It stops last: whoever asks it is gone by then.
    assert simulator.stage > plans["bank"].stage
    assert list(plans)[-1] == NAME


def test_real_credentials_are_for_the_bank_process_alone(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in SECRETS:
        monkeypatch.setenv(name, f"real {name}")
    for name, plan in planned(here, None).items():
        expected = {each: f"real {each}" for each in SECRETS} if name == "bank" else {}
        assert {each: plan.environment[each] for each in SECRETS if each in plan.environment} == (
            expected
        )


def test_credentials_are_no_way_in_for_others() -> None:
    around = {**dict.fromkeys(SECRETS, "secret"), "PATH": "/bin"}
    assert without_urls(around) == {"PATH": "/bin"}
    assert at_the_bank(around) == dict.fromkeys(SECRETS, "secret")


def test_secrets_are_kept(here: Home) -> None:
    before, after = (SimulatedBank(here, 20_003).for_bank() for _ in range(2))
    assert before == after
    assert before["SOV_BANK_CLIENT_SECRET"] != before["SOV_BANK_API_KEY"]


@pytest.mark.parametrize(
    ("reports", "kind"),
    [
        (
            {"bank": {"bank": "http://127.0.0.1:1"}, NAME: {"url": "http://127.0.0.1:1"}},
            "simulator",
        ),
        ({"bank": {"bank": "https://openapi.investec.com"}}, "api"),
        ({"bank": {"bank": "none"}}, "none"),
        ({"bank": {"bank": "files"}}, "files"),
        ({"bank": {}}, "unknown"),
        ({}, "unknown"),
    ],
)
def test_status_names_the_bank(reports: dict[str, dict[str, object]], kind: str) -> None:
    views = [
        ProcessView(name, 7, 7, "ready", 0, "", False, report) for name, report in reports.items()
    ]
    assert bank_of(views)["kind"] == kind


def test_it_is_not_started_beside_that_of_up(here: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    here.make()
    me = processes.identify(os.getpid())
    assert me is not None
    report: dict[str, object] = {"url": "http://127.0.0.1:20003"}
    view = ProcessView(NAME, 7, 7, "ready", 0, "", False, report)
    snapshot = Snapshot(
        me.pid, me.started_ticks, "running", 0.0, "http://127.0.0.1:1", "", (), (), (view,)
    )
    state.write(here.state_file, snapshot)
    monkeypatch.setenv("SOV_HOME", str(here.folder))
    ended = CliRunner().invoke(bank.command, ["simulator"])
    assert ended.exit_code == 1
    assert "http://127.0.0.1:20003" in ended.output
    assert here.kept.port(NAME) is None


@pytest.mark.parametrize("amount", ["0", "-1", "1.001", "five", "NaN", "1e13", "1e40", ""])
def test_what_nobody_pays_in(here: Home, monkeypatch: pytest.MonkeyPatch, amount: str) -> None:
    monkeypatch.setenv("SOV_HOME", str(here.folder))
    here.make()
    here.kept.keep_port(NAME, 20_003)
    ended = CliRunner().invoke(bank.command, ["play", "credit", "--", amount, "rent"])
    assert (ended.exit_code, "AMOUNT" in ended.output) == (1, True)


def test_there_is_nothing_to_play_before_there_is_a_bank(
    here: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOV_HOME", str(here.folder))
    ended = CliRunner().invoke(bank.command, ["play", "state"])
    assert (ended.exit_code, "./sov up" in ended.output) == (1, True)
