"""Which URLs count as our own servers', and who gets which."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.access import (
    Access,
    BadSettings,
    access,
    own_fields,
    private_names,
    settings_here,
    store,
    stored,
    without_urls,
)
from cli.servers.kept import Kept

OURS = "postgresql://sov_owner:x@127.0.0.1:20001/sov"
THEIRS = "postgresql://owner:x@127.0.0.1:5432/sov"


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kept:
    for name in ("SOV_DATABASE_URL", "SOV_AMQP_URL", "SOV_PORT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "ports.json").write_text(json.dumps({"postgresql": 20001, "rabbitmq": 20002}))
    return Kept(tmp_path)


@pytest.mark.parametrize(
    ("url", "is_own"),
    [
        (OURS, True),
        ("postgresql://sov_owner:x@localhost:20001/sov", True),
        ("postgresql://sov_owner:old-password@127.0.0.1:20001/sov", True),
        (THEIRS, False),
        ("postgresql://sov_owner:x@database.example:20001/sov", False),
        ("postgresql:///sov?host=/run/postgresql", False),
        ("not a url", False),
        ("postgresql://x@127.0.0.1:notaport/sov", False),
        ("", False),
    ],
)
def test_only_a_loopback_url_with_our_own_port_is_ours(kept: Kept, url: str, is_own: bool) -> None:
    own = own_fields({"SOV_DATABASE_URL": url}, kept)
    assert own == ({"database_url"} if is_own else frozenset())


def test_our_own_url_counts_as_unset(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOV_DATABASE_URL", OURS)
    monkeypatch.setenv("SOV_AMQP_URL", "amqp://broker.example/sov")
    settings = settings_here({"SOV_DATABASE_URL": OURS}, kept)
    assert settings.database_url is None
    assert private_names(settings) == ("postgresql",)


def test_private_servers_give_every_role_its_own_user(kept: Kept) -> None:
    ways = access(settings_here({}, kept), kept)
    databases = (ways.owner, ways.writer, ways.reader, ways.uploader, ways.banker)
    brokers = (ways.administrator, ways.gateway, ways.consumer)
    assert [url.split("//")[1].split(":")[0] for url in (*databases, *brokers)] == [
        *("sov_owner", "sov_writer", "sov_reader", "sov_uploader", "sov_banker"),
        *("sov_admin", "sov_gateway", "sov_consumer"),
    ]


def test_a_gateway_gets_no_way_to_write_the_books(kept: Kept) -> None:
    ways = access(settings_here({}, kept), kept)
    around = {"SOV_DATABASE_URL": OURS, "SOV_WRITER_PASSWORD": "secret", "HOME": "/"}
    given = {**without_urls(around), **ways.for_gateway()}
    assert set(given) == {
        *("HOME", "SOV_AMQP_URL_GATEWAY"),
        *("SOV_DATABASE_URL_READER", "SOV_DATABASE_URL_UPLOADER", "SOV_DATABASE_URL_BANKER"),
    }


def test_a_given_database_serves_all_roles_unless_they_are_split(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOV_DATABASE_URL", THEIRS)
    monkeypatch.setenv("SOV_DATABASE_URL_READER", "postgresql://reader@elsewhere/sov")
    ways = access(settings_here({"SOV_DATABASE_URL": THEIRS}, kept), kept)
    assert (ways.owner, ways.writer) == (THEIRS, THEIRS)
    assert ways.reader == "postgresql://reader@elsewhere/sov"
    assert ways.private == {"rabbitmq"}


def test_other_commands_read_what_up_used(tmp_path: Path) -> None:
    ways = Access("a", "b", "c", "d", "e", "f", frozenset({"rabbitmq"}))
    assert stored(tmp_path / "access.json") is None
    store(ways, tmp_path / "access.json")
    assert stored(tmp_path / "access.json") == ways
    assert (tmp_path / "access.json").stat().st_mode & 0o777 == 0o600


def test_a_bad_setting_is_named(kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOV_PORT", "eighty")
    with pytest.raises(BadSettings, match=r"^SOV_PORT: .*integer"):
        settings_here({}, kept)
