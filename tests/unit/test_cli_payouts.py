"""`./sov payouts`: what it says where the system does not answer."""

from __future__ import annotations

import re

import pytest
from click.testing import CliRunner

from cli.payouts import create


def test_a_lost_answer_names_the_key_to_ask_again_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOV_URL", "http://127.0.0.1:1")  # nobody is there
    monkeypatch.setenv("SOV_KEY_BANK", "key")
    payee = ("--name", "Thandi", "--account-number", "62000000001", "--branch-code", "580105")
    asked = ("--wallet", "escrow-01", "--amount", "10", "--their-reference", "thanks", *payee)
    said = CliRunner().invoke(create, asked)
    assert said.exit_code == 1
    # Once before anything is asked for, and once with what went wrong.
    first, second = re.findall(r"--key (payout-[0-9a-f]{16})", said.output)
    assert first == second
    again = CliRunner().invoke(create, (*asked, "--key", "mine-0001"))
    assert re.findall(r"--key (\S+)", again.output) == ["mine-0001"]
