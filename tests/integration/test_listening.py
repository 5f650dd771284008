"""The gateway's socket: which port, and never plain HTTP to a network."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from cli.listening import CannotListen, check_exposure, open_socket, url_of
from cli.servers.kept import Kept
from topology.settings import Settings


@pytest.mark.parametrize(
    ("bind", "more", "is_allowed"),
    [
        ("127.0.0.1", {}, True),
        ("127.9.9.9", {}, True),
        ("localhost", {}, True),
        ("::1", {}, True),
        ("0.0.0.0", {}, False),  # noqa: S104 - the case itself
        ("10.0.0.7", {}, False),
        ("gateway.example", {}, False),
        ("10.0.0.7", {"behind_proxy": True}, True),
        ("10.0.0.7", {"tls_cert": Path("c"), "tls_key": Path("k")}, True),
    ],
)
def test_plain_http_is_for_loopback(bind: str, more: dict[str, object], is_allowed: bool) -> None:
    settings = Settings.model_validate({"bind": bind, **more})
    if is_allowed:
        check_exposure(settings)
    else:
        with pytest.raises(CannotListen, match="SOV_BEHIND_PROXY"):
            check_exposure(settings)


def test_a_taken_port_gives_the_next_free_one_which_is_kept(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        settings = Settings(port=port)
        with open_socket(settings, kept) as opened:
            moved_to = opened.getsockname()[1]
            assert moved_to > port
            assert url_of(opened, settings) == f"http://127.0.0.1:{moved_to}"
    # The wanted port is free again, but callers know the other one by now.
    with open_socket(settings, kept) as again:
        assert again.getsockname()[1] == moved_to


def test_any_port_is_kept_too(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    with open_socket(Settings(port=0), kept) as first:
        port = first.getsockname()[1]
    with open_socket(Settings(port=0), kept) as second:
        assert second.getsockname()[1] == port
