"""The process that deals with the bank: ``./sov run bank``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from typing import Any, Final

import asyncpg
import structlog
from pydantic import SecretStr

from bank.accounts import Accounts
from bank.acting import Acting
from bank.booking import Booking
from bank.claims import Claimant
from bank.deciding import Deciding
from bank.failures import DATABASE_ERRORS
from bank.feed import Feed, WithoutApi
from bank.investec.access import Access
from bank.investec.client import Investec
from bank.leading import Leadership
from bank.payouts import working as payouts
from bank.payouts.claiming import PayoutRows
from bank.reading_files import Files
from bank.returns import Returns
from bank.services import Following, Services
from bank.steps import Step, Steps
from ledger.database import banker_pool
from ledger.deployment import Deployment
from producers.clock import DatabaseClock
from producers.commands import Commands
from producers.intake import Intake
from producers.publisher import Publisher
from producers.replies import Replies
from topology.process import end
from topology.settings import Settings

_CONNECTIONS: Final = 6
#: Clock, layout and lost outcomes: never behind the steps' own statements.
_OWN_CONNECTIONS: Final = 2
_RETRY_S: Final = 1.0
#: Steps are woken by whoever has something for them; this is for a word that was lost.
_LOOK_EVERY_S: Final = 2.0
_ACCOUNTS_EVERY_S: Final = 600.0
#: What is reported where there is no API: statements come as files; or no account is named at all.
FILES: Final = "files"
NONE: Final = "none"
_NONE_NAMED: Final = (
    "no bank is named: nothing is fetched, and payments go in files that people upload. Set"
    " SOV_BANK_API_URL and its credentials, or SOV_BANK_ACCOUNTS where statements come as files"
)

_log = structlog.get_logger(__name__)


class Bank:
    """``topology.process.Program``."""

    def __init__(self, settings: Settings, deployment: Deployment) -> None:
        self._dsn, self._url = settings.banker_dsn, settings.gateway_amqp_url
        self._deployment = deployment
        self._access = _access(settings)
        named = _named(settings.bank_accounts)
        self._follow = Following(
            accounts=frozenset(named),
            numbers={each: number for each, number in named.items() if number},
            since=settings.bank_followed_from,
            every_s=settings.bank_poll_s,
            overlap_days=settings.bank_overlap_days,
            days_ahead=settings.bank_days_ahead,
            currency=settings.bank_currency,
        )
        self._authorised_within = timedelta(days=settings.bank_authorisation_days)
        self._stopping = asyncio.Event()
        self._replies: Replies | None = None
        self._leadership: Leadership | None = None
        self._steps: Steps | None = None

    @property
    def ready(self) -> bool:
        """A process that stands by is ready too: it does its work, which is to wait."""
        return self._replies is not None and self._replies.queue is not None

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> Mapping[str, object]:
        return {
            "leads": self._leadership is not None and self._leadership.leads,
            "bank": self._told,
            "problems": dict(self._steps.problems) if self._steps else {},
        }

    @property
    def _told(self) -> str:
        """The bank as ``./sov status`` has it: its address, ``files`` that people hand in, or
        ``none``."""
        if self._access is not None:
            return self._access.url
        return FILES if self._follow.accounts else NONE

    async def run(self) -> None:
        """Work until stopped, through losses of either server and of the bank. Raises
        ``LayoutChanged``."""
        if self._told == NONE:
            _log.warning("bank.none", what=_NONE_NAMED)
        async with AsyncExitStack() as stack:
            pool = await self._connected(_CONNECTIONS)
            own = await self._connected(_OWN_CONNECTIONS)
            if pool is None or own is None:
                return
            stack.callback(pool.terminate)
            stack.callback(own.terminate)
            bank = None
            if self._access is not None:
                bank = await stack.enter_async_context(Investec.connected(self._access))
            await self._work(pool, own, bank)

    async def _work(
        self, pool: asyncpg.Pool[Any], own: asyncpg.Pool[Any], bank: Investec | None
    ) -> None:
        layout = self._deployment.layout
        name = f"bank {os.getpid()}"
        clock, intake = DatabaseClock(own), Intake(own, self._deployment)
        self._replies = replies = Replies(self._url, f"{name} replies", own)
        publisher = Publisher(
            *(self._url, f"{name} commands", layout.number, layout.partitions, clock.now),
            lambda: replies.queue,
        )
        commands = Commands(
            deployment=self._deployment,
            clock=clock,
            intake=intake,
            publisher=publisher,
            replies=replies,
        )
        services = Services(
            *(pool, commands, clock, bank, self._wake, self._follow, self._authorised_within)
        )
        self._steps = Steps(steps(services))
        self._leadership = Leadership(self._dsn, self._steps.run, self._wake)
        parts = [
            asyncio.ensure_future(part.run())
            for part in (clock, intake, replies, publisher, self._leadership)
        ]
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            done, _ = await asyncio.wait({*parts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # Steps may be ended anywhere: whoever leads next finds what was decided, and goes on.
            await end([*parts, stopping])

    def _wake(self, name: str) -> None:
        if self._steps is not None:
            self._steps.wake(name)

    async def _connected(self, size: int) -> asyncpg.Pool[Any] | None:
        while not self._stopping.is_set():
            try:
                return await banker_pool(self._dsn, size=size)
            except DATABASE_ERRORS as error:
                _log.warning("bank.database_unreachable", error=repr(error))
                await asyncio.sleep(_RETRY_S)
        return None


def steps(services: Services) -> Sequence[Step]:
    """Everything the process does, each part by its own name, by which it can be woken."""
    # Payouts last: they also suspect debits of their amount that name nothing.
    claimants: list[Claimant] = [Returns(), PayoutRows()]
    found = [
        Step("accounts", _ACCOUNTS_EVERY_S, Accounts(services).run),
        Step("statements", _LOOK_EVERY_S, Files(services).run),
        Step("matching", _LOOK_EVERY_S, Deciding(services, claimants).run),
        Step("booking", _LOOK_EVERY_S, Booking(services, claimants).run),
        Step("actions", _LOOK_EVERY_S, Acting(services).run),
        *payouts.steps(services),
    ]
    feed: Feed | WithoutApi = WithoutApi(services)
    if services.bank is not None:
        feed = Feed(services, services.bank)
    found.append(Step("feed", _LOOK_EVERY_S, feed.run))
    return found


def _named(accounts: str) -> dict[str, str]:
    """Ids, each with the number that stands behind it, or nothing: ``ID`` or ``ID=NUMBER``."""
    parts = [each.partition("=") for each in accounts.split(",")]
    return {name.strip(): number.strip() for name, _, number in parts if name.strip()}


def _access(settings: Settings) -> Access | None:
    if not settings.bank_api_url:
        return None
    return Access(
        settings.bank_api_url,
        _plain(settings.bank_client_id),
        _plain(settings.bank_client_secret),
        _plain(settings.bank_api_key),
    )


def _plain(secret: SecretStr | None) -> str:
    return "" if secret is None else secret.get_secret_value()
