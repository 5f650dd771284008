"""The simulator as one application."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from starlette.applications import Starlette

from bank.simulator import api, control
from bank.simulator.api import Bank, Credentials
from bank.simulator.books import Books

#: What a bank has that nobody has told anything yet.
ACCOUNT_ID: Final = "172878438321553632224"
_NUMBER: Final = "10010000001"
_NAME: Final = "Store of Value"


def make(path: Path, credentials: Credentials) -> Starlette:
    """On the books in this file, which are made where there are none."""
    books = Books(path)
    with books.changing():
        if not books.accounts():
            books.open_account(ACCOUNT_ID, _NUMBER, _NAME, 0)
    bank = Bank(books, credentials)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        yield
        books.close()

    return Starlette(routes=[*api.routes(bank), *control.routes(bank)], lifespan=lifespan)
