"""The simulator as one application, and as a server."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from bank.simulator import accounts, control, identity, paying
from bank.simulator.books import Books
from bank.simulator.guard import CUT, Bank, Credentials
from bank.simulator.payments import Payments
from bank.simulator.rows import Rows

_DRAIN_S: Final = 3


def make(books: Books, credentials: Credentials) -> Starlette:
    """Over these books, which are closed when it ends."""
    rows = Rows(books)
    bank = Bank(books, rows, Payments(books, rows), credentials)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        books.close()

    parts = (identity, accounts, paying, control)
    return Starlette(
        routes=[each for part in parts for each in part.routes(bank)], lifespan=lifespan
    )


class Connection(HttpToolsProtocol):
    """One that can be cut off in the middle of a call."""

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self.scope[CUT] = self.transport.abort  # type: ignore[typeddict-unknown-key]


class Server(uvicorn.Server):
    """Without signal handlers: whoever runs it says when it is to end."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def serve(path: Path, credentials: Credentials) -> Server:
    """A server on the books in this file, which are made where there are none; it listens where
    its ``serve`` is told to."""
    return Server(
        uvicorn.Config(
            make(Books(path), credentials),
            http=Connection,
            ws="none",
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=_DRAIN_S,
        )
    )
