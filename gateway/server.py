"""Listening: on an inherited socket or one of our own, and draining what was accepted."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import time
from collections.abc import Iterator
from typing import Final

import uvicorn
from starlette.types import ASGIApp

from gateway.connection import Connection
from topology.settings import Settings

#: Callers that wait while a gateway is replaced; the kernel may cap it.
BACKLOG: Final = 1024
#: Longer than clients keep connections in their pools by default (httpx: 5 s), so that it is the
#: client that closes: a request on a connection we are closing would be lost.
_KEEP_ALIVE_S: Final = 75
_SWEEP_EVERY_S: Final = 1.0


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: the process decides when to drain."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def run_until_drained(self, opened: socket.socket) -> None:
        """Serve on the socket until ``drain``; returns when the last answer is out, or the time for
        that is up."""
        sweeping = asyncio.create_task(self._sweep())
        try:
            await self.serve(sockets=[opened])
        finally:
            sweeping.cancel()

    def drain(self) -> None:
        """Accept nothing more, and end when what was accepted is answered."""
        self.should_exit = True

    async def _sweep(self) -> None:
        """End connections whose request does not arrive: cheaper than a timer for each."""
        while True:
            await asyncio.sleep(_SWEEP_EVERY_S)
            now_s = time.monotonic()
            for connection in list(self.server_state.connections):
                if isinstance(connection, Connection):
                    connection.end_if_slow(now_s)


def make_server(app: ASGIApp, settings: Settings, *, drain_s: int, encrypted: bool) -> Server:
    """A server for the application; it listens where ``run_until_drained`` is told to."""
    certificate = settings.tls_cert if encrypted else None
    return Server(
        uvicorn.Config(
            app,
            http=Connection,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # Nothing here looks at the caller's address, so nobody has to be believed about it.
            proxy_headers=False,
            backlog=BACKLOG,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=drain_s,
            ssl_certfile=certificate,
            ssl_keyfile=settings.tls_key if encrypted else None,
        )
    )


def open_socket(address: str, port: int, *, shared: bool = False) -> socket.socket:
    """A listening socket; ``shared`` lets several processes have one each. Raises ``OSError``."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if shared:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        opened.bind((address, port))
        opened.listen(BACKLOG)
    except OSError:
        opened.close()
        raise
    return opened
