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
        ("postgresql://u:@host/db", "postgresql://u:***@host/db"),
        ("postgresql:///sov?host=/run/postgresql", "postgresql:///sov?host=/run/postgresql"),
        ("postgresql://u:secret@[::1]:5432/db", "postgresql://u:***@[::1]:5432/db"),
        ("postgresql://u:secret@a:1,b:2/db", "postgresql://u:***@a:1,b:2/db"),
        ("postgresql://h/db?user=u&password=secret&sslmode=require", "postgresql://h/db?user=u&password=***&sslmode=require"),
        ("postgresql://h/db?Pass%77ord=secret", "postgresql://h/db?Pass%77ord=***"),
        ("postgresql://h/db?sslpassword=secret&passfile=/secret", "postgresql://h/db?sslpassword=***&passfile=***"),
        ("postgresql://h/db?password=se#cret", "***"),
        ("postgresql://h/db?password=a&secret", "***"),
        ("postgresql://u:se/cret@host/db", "***"),
        ("postgresql://u:12/secret@host/db", "***"),
        ("postgresql://u:se?cret@host/db", "***"),
        ("postgresql://u:12?secret@host/db", "***"),
        ("postgresql://u:se#cret@host/db", "***"),
        ("postgresql://u:12#secret@host/db", "***"),
        ("postgresql://u:se[cret@host/db", "***"),
        ("postgresql://u:secret", "***"),
        ("host=h user=u password=secret", "***"),
        ("secret", "***"),
    ],
)  # fmt: skip
def test_passwords_are_masked(url: str, shown: str) -> None:
    assert masked(url) == shown


def test_what_migrate_makes_users_with_is_listed_and_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = Kept(tmp_path)
    environment = {"SOV_WRITER_PASSWORD": "secret", "SOV_READER_PASSWORD": ""}
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = {row[0]: row[1:3] for row in rows(environment, settings_here(environment, kept), kept)}
    assert found["SOV_WRITER_PASSWORD"] == ("***", "environment")
    assert found["SOV_READER_PASSWORD"] == ("", "default")


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
