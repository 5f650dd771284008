"""`./sov config` names sources and shows no secret."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.access import settings_here
from cli.config import rows
from cli.servers.kept import Kept
from cli.summary import masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:secret@host:1/db?sslmode=require", "postgresql://u:***@host:1/db?sslmode=require"),
        ("amqp://u:se@cret@host/v", "amqp://u:***@host/v"),
        ("postgresql://u@host/db", "postgresql://u@host/db"),
        ("8080", "8080"),
    ],
)  # fmt: skip
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_every_setting_has_a_source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "ports.json").write_text(json.dumps({"rabbitmq": 20002}))
    kept = Kept(tmp_path)
    environment = {
        "SOV_DATABASE_URL": "postgresql://u:secret@host/db",
        "SOV_PORT": "9090",
        "SOV_BIND": "",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = {row[0]: row[1:3] for row in rows(environment, settings_here(environment, kept), kept)}
    assert found["SOV_DATABASE_URL"] == ("postgresql://u:***@host/db", "environment")
    assert found["SOV_PORT"] == ("9090", "environment")
    assert found["SOV_BIND"] == ("127.0.0.1", "default")
    assert found["SOV_AMQP_URL"] == ("amqp://sov_admin:***@127.0.0.1:20002/sov", "local servers")
    assert found["SOV_TLS_CERT"] == ("", "default")
