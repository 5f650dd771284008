"""A gateway without servers: calls made by hand, and the application on services that are none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx

from gateway import app
from gateway.answers import Answers
from gateway.app import Application
from gateway.backend import Backend, Services
from gateway.call import Call
from gateway.exchange import begin
from gateway.health import Health
from gateway.metrics import Exposition
from gateway.operations import READERS
from gateway.problems import GatewayCode, Refusal
from gateway.remembered import Currencies, Originals, WalletNames
from ledger.commands import Command
from ledger.keys import ApiKey, Scope
from ledger.outcomes import Outcome, Result
from producers.commands import Answered, Pending
from topology.command_ids import CommandIds, new_command_id

NOW = datetime(2026, 3, 24, 10, tzinfo=UTC)
SECRET = b"s" * 32
COMMAND_IDS = CommandIds(SECRET)
COMMAND_ID = new_command_id(1, 3, NOW)


def api_key(*scopes: Scope, **more: Any) -> ApiKey:
    given = {
        "key_id": "k1",
        "name": "test",
        "owner": "test",
        "person": "test",
        "scopes": frozenset(scopes or {Scope.ECLIPSE}),
        "secret_hash": b"",
        "rate": None,
        "created": NOW,
        "expires": None,
        "revoked": None,
    }
    return ApiKey(**{**given, **more})


def call(headers: Mapping[str, str | bytes] | None = None, **path: str) -> Call:
    """A call with these headers, as if its route had been found."""
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "query_string": b"",
        "path_params": path,
        "headers": [
            (name.lower().encode(), value if isinstance(value, bytes) else value.encode())
            for name, value in (headers or {}).items()
        ],
    }
    begin(scope)
    return Call(scope)


class Keeper:
    """Lets everybody in whose key says the name of a scope."""

    async def admit(self, call: Call, scopes: frozenset[Scope]) -> None:
        value = call.field(b"authorization")
        if value is None:
            raise Refusal(GatewayCode.UNAUTHENTICATED, "no key")
        scope = Scope(value.decode().removeprefix("Bearer "))
        if scope not in scopes:
            raise Refusal(GatewayCode.FORBIDDEN, "not yours")
        call.key = api_key(scope)


class Sender:
    """Answers every command with the same result, and keeps what it was given."""

    command_ids = COMMAND_IDS

    def __init__(self) -> None:
        self.result: Result | Exception | None = None
        """None: nothing is decided in time."""
        self.sent: list[Command] = []
        self.asked: list[Mapping[str, Any]] = []

    async def ask(self, command: Command, **how: Any) -> Answered | Pending:
        self._take(command, how)
        if self.result is None:
            return Pending(COMMAND_ID, NOW)
        assert not isinstance(self.result, Exception)
        outcome = Outcome(COMMAND_ID, 3, 1, NOW, self.result, how["actor"])
        return Answered(COMMAND_ID, outcome)

    async def send(self, command: Command, **how: Any) -> Pending:
        self._take(command, how)
        return Pending(COMMAND_ID, NOW)

    def _take(self, command: Command, how: Mapping[str, Any]) -> None:
        self.sent.append(command)
        self.asked.append(how)
        if isinstance(self.result, Exception):
            raise self.result


class Clock:
    def __init__(self) -> None:
        self.problem = ""

    def now(self) -> datetime:
        return NOW


class NoBooks:
    """Books that say nothing of anything; while ``silent`` not even that."""

    def __init__(self) -> None:
        self.silent = False

    async def fetch(self, query: str, *args: object) -> list[Any]:
        found: list[Any] = await self._answer([])
        return found

    async def fetchrow(self, query: str, *args: object) -> Any:
        return await self._answer(None)

    async def fetchval(self, query: str, *args: object) -> Any:
        return await self._answer(None)

    async def _answer(self, answer: Any) -> Any:
        if self.silent:
            await asyncio.Event().wait()
        return answer


class Bench:
    """The application with its services in reach."""

    def __init__(self) -> None:
        self.backend = Backend()
        self.checks: dict[str, str] = {}
        health = Health(lambda: self.checks, Exposition(None), READERS)
        self.application: Application = app.public(self.backend, health, Keeper())

    def connect(self) -> None:
        """Fresh services that are all well."""
        self.sender, self.clock = Sender(), Clock()
        self.checks = {"database": ""}
        self.books = NoBooks()
        books: Any = self.books
        self.backend.connect(
            Services(
                books=books,
                sender=self.sender,
                clock=self.clock,
                answers=Answers(COMMAND_IDS),
                names=WalletNames(books),
                originals=Originals(books),
                currencies=Currencies(books),
            )
        )

    @asynccontextmanager
    async def client(self, scope: str = "eclipse") -> AsyncIterator[httpx.AsyncClient]:
        transport = httpx.ASGITransport(self.application, raise_app_exceptions=True)
        headers = {"Authorization": f"Bearer {scope}"} if scope else {}
        async with httpx.AsyncClient(
            transport=transport, base_url="http://gateway", headers=headers
        ) as client:
            yield client


def wallet_id(number: int) -> UUID:
    return UUID(int=0x0198F0A4_2C8E_7D31_9F0E_000000000000 + number)
