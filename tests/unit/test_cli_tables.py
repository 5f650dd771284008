"""Tables show what is in them, whatever that looks like."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import pytest
from rich.console import Console, RenderableType

from cli import keys, status
from cli.overview import Overview
from ledger.keys import ApiKey, Scope

NOT_MARKUP = ["[/b]", "[bold]x", "[red]", ":smile:", "\\[x]"]


def printed(what: RenderableType) -> str:
    console = Console(file=io.StringIO(), width=300)
    console.print(what)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.mark.parametrize("text", NOT_MARKUP)
def test_a_key_may_be_called_anything(text: str) -> None:
    key = ApiKey(
        key_id="k1",
        name=f"name {text}",
        owner=f"owner {text}",
        person=f"owner {text}",
        secret_hash=b"",
        scopes=frozenset({Scope.READER}),
        created=datetime(2026, 1, 1, tzinfo=UTC),
        expires=None,
        revoked=None,
        rate=None,
    )
    shown = printed(keys.render([key]))
    assert f"name {text}" in shown
    assert f"owner {text}" in shown


@pytest.mark.parametrize("text", NOT_MARKUP)
def test_a_process_may_end_for_any_reason(text: str) -> None:
    process = {"name": "relay", "pid": 7, "state": "ready", "restarts": 1, "reason": text}
    partition = {
        **dict.fromkeys(("partition", "messages", "waiting_commands", "epoch", "paused"), 0),
        "oldest_waiting_s": 0,
        "consumer": f"consumer {text}",
    }
    seen = Overview(
        condition="ready",
        supervisor={},
        processes=[process],
        partitions=[partition],
        broker={"reachable": False, "problem": f"broker {text}", "alarms": "none"},
        database={"reachable": True, "primary": True, "problem": ""},
        bank={"kind": "simulator", "url": "http://127.0.0.1:2"},
        url="http://127.0.0.1:1",
    )
    shown = printed(status.render(seen))
    assert "bank: simulator http://127.0.0.1:2" in shown
    for part in (f" {text}", f"consumer {text}", f"broker {text}"):
        assert part in shown


@pytest.mark.parametrize(
    ("kind", "words"), [("none", "SOV_BANK_SIMULATOR=1"), ("files", "statements are handed in")]
)
def test_status_says_what_a_system_without_the_banks_api_can_do(kind: str, words: str) -> None:
    seen = Overview(
        condition="ready",
        supervisor={},
        processes=[],
        partitions=[],
        broker={"reachable": True, "problem": "", "alarms": "none"},
        database={"reachable": True, "primary": True, "problem": ""},
        bank={"kind": kind, "url": ""},
        url="http://127.0.0.1:1",
    )
    shown = printed(status.render(seen))
    assert f"bank: {kind} (" in shown
    assert words in shown
