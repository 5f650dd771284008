"""What the routes reach for behind HTTP, and when there is none of it yet."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from bank.payouts.approvals import Tier
from gateway.answers import Answers
from gateway.books import Books
from gateway.call import Call
from gateway.problems import unavailable
from gateway.remembered import Currencies, Originals, WalletNames
from ledger.commands import Command
from producers.commands import Answered, Pending
from producers.reconciliations import ReconciliationCommands
from topology.command_ids import CommandIds

#: On books that are well no read takes this long; beyond it the caller hears 503.
READ_LIMIT_S: Final = 5.0


class Sender(Protocol):
    """What HTTP uses of ``producers.commands.Commands``; the promises are documented there."""

    @property
    def command_ids(self) -> CommandIds: ...

    async def ask(
        self,
        command: Command,
        *,
        actor: str,
        wait_s: float,
        spent_s: float = 0.0,
        deadline: datetime | None = None,
        trace: str | None = None,
    ) -> Answered | Pending: ...

    async def send(
        self,
        command: Command,
        *,
        actor: str,
        deadline: datetime | None = None,
        trace: str | None = None,
    ) -> Pending: ...


class Clock(Protocol):
    """What HTTP uses of ``producers.clock.DatabaseClock``."""

    @property
    def problem(self) -> str: ...

    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Files:
    """The place of bulk files; in bytes the largest one that is taken, and what all of them may
    take while they arrive."""

    store: Books
    most_bytes: int
    most_staged: int


@dataclass(frozen=True, slots=True)
class Extracts:
    """The way of what is to be compared; bytes as in ``Files``."""

    commands: ReconciliationCommands
    most_bytes: int
    most_staged: int


@dataclass(frozen=True, slots=True)
class Services:
    """Everything there is once the database has answered for the first time."""

    books: Books
    sender: Sender
    clock: Clock
    answers: Answers
    names: WalletNames
    originals: Originals
    currencies: Currencies
    files: Files | None = None
    """Where bulk files are kept; None on a gateway that was not told where."""
    bank: Books | None = None
    """Where the bank side is kept; None likewise."""
    extracts: Extracts | None = None
    """What is to be compared with the books; None likewise."""
    payout_tiers: Sequence[Tier] = ()
    """From which amount on how many people have to agree to a payout."""


class Backend:
    """The services, from the moment there are any; before that every call is refused."""

    def __init__(self) -> None:
        self._services: Services | None = None

    def connect(self, services: Services) -> None:
        self._services = services

    @property
    def services(self) -> Services:
        """Raises ``Refusal``."""
        if self._services is None:
            raise unavailable("the books have not been reached yet")
        return self._services


@asynccontextmanager
async def reading(call: Call) -> AsyncIterator[None]:
    """Bounds a look at the books on the way to a command, waiting for a free connection included:
    it ends while the command can still be in time."""
    async with asyncio.timeout(min(READ_LIMIT_S, call.left_s)):
        yield
