"""The socket callers connect to: opened once, kept while gateways come and go."""

from __future__ import annotations

import errno
import socket

from cli.servers.kept import Kept
from topology.exposure import Exposed, require_private
from topology.settings import Settings

# Callers that wait here while a gateway is replaced; the kernel may cap it.
BACKLOG = 1024
_TRIES = 200


class CannotListen(Exception):
    """The gateway's address cannot be used; the text says why and what to set."""


def check_exposure(settings: Settings) -> None:
    """Refuse to show plain HTTP, and with it every key, to a network.

    Raises ``CannotListen`` for a non-loopback address without TLS, unless a proxy is said to be in
    front (``SOV_BEHIND_PROXY=1``).
    """
    try:
        require_private(settings.bind, settings)
    except Exposed as problem:
        raise CannotListen(f"SOV_BIND: {problem}") from None


def open_socket(settings: Settings, kept: Kept) -> socket.socket:
    """A listening socket on the wanted port, or on the next free one, which is then kept."""
    check_exposure(settings)
    # Kept per wanted port, so that another SOV_PORT is another wish.
    name = f"http-{settings.port}"
    for port in _candidates(settings.port, kept.port(name)):
        try:
            opened = _listen(settings.bind, port)
        except OSError as problem:
            if problem.errno != errno.EADDRINUSE:
                raise CannotListen(f"cannot listen on {settings.bind}:{port}: {problem}") from None
            continue
        kept.keep_port(name, opened.getsockname()[1])
        return opened
    raise CannotListen(f"no free port from {settings.port} on")


def url_of(opened: socket.socket, settings: Settings) -> str:
    """The URL a caller on this machine uses."""
    host = settings.bind
    if host in ("0.0.0.0", "::"):  # noqa: S104 - compared, not bound
        host = "127.0.0.1"
    if ":" in host:
        host = f"[{host}]"
    scheme = "https" if settings.tls_cert else "http"
    return f"{scheme}://{host}:{opened.getsockname()[1]}"


def _candidates(wanted: int, kept: int | None) -> list[int]:
    following = [wanted + step for step in range(_TRIES) if wanted + step <= 65_535]
    first = [kept] if kept is not None else []
    return first + ([0] if wanted == 0 else following)


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened
