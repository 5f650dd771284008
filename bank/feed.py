"""Looking at the bank's statements: on schedule, and whenever somebody asks."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import structlog
import uuid_utils.compat

from bank import metrics
from bank.accounts import followed
from bank.investec.client import Investec
from bank.investec.errors import BankError
from bank.investec.records import bank_day
from bank.lines import settled
from bank.services import ACTOR, Services
from bank.sql import DEPOSITS as SQL
from bank.stored import BankAccount
from bank.storing import Overtaken, store
from ledger.database import UNREACHABLE
from topology.texts import clean

_AFTER_FAILURE_S: Final = 60.0
_LET_GO: Final = "the account is not followed any more (SOV_BANK_ACCOUNTS)"
_NO_API: Final = "there is no API to the bank: its statements are handed in as files"
_LONGEST_PROBLEM: Final = 500
#: What else ends a look is a defect of ours.
_EXPECTED: Final = (BankError, asyncpg.PostgresError, Overtaken)

_log = structlog.get_logger(__name__)


class Feed:
    """The step that fetches. What was fetched last is not kept but by its rows: whoever takes over
    fetches at once."""

    def __init__(self, services: Services, bank: Investec) -> None:
        self._services, self._bank = services, bank
        self._due_s: dict[str, float] = defaultdict(float)

    async def run(self) -> None:
        """Every account that is due or asked for. A bank that does not answer, or what cannot be
        stored, is told in the fetch, and tried again later; the other accounts go on."""
        pool = self._services.pool
        asked: dict[str, list[UUID]] = defaultdict(list)
        for record in await pool.fetch(SQL.waiting_fetches):
            asked[record["account_id"]].append(record["fetch_id"])
        now_s = asyncio.get_running_loop().time()
        for account in await followed(pool):
            waiting = asked[account.account_id]
            # Its own look at the settings: the step that lets go may not have come to it yet.
            if not self._services.follow.includes(account.account_id):
                await _end(self._services, waiting, _LET_GO)
                continue
            if not waiting and now_s < self._due_s[account.account_id]:
                continue
            if not waiting:
                fetch_id = uuid_utils.compat.uuid7()
                await pool.fetch(SQL.ask_fetch, fetch_id, account.account_id, ACTOR)
                waiting = [fetch_id]
            await self._look(account, waiting)

    async def _look(self, account: BankAccount, fetches: Sequence[UUID]) -> None:
        every_s = self._services.follow.every_s
        try:
            await self._fetch(account, fetches)
        except Exception as error:  # whatever one account shows must not keep others from a look
            # What the library says about an argument is a ValueError too, and would come again.
            if isinstance(error, UNREACHABLE) and not isinstance(error, ValueError):
                raise  # the database is away: there is nowhere to tell it
            metrics.FETCHES.labels("failed").inc()
            if not isinstance(error, _EXPECTED):
                _log.exception("bank.fetch_defect", account=account.account_id)
            problem = clean(f"{type(error).__name__}: {error}")[:_LONGEST_PROBLEM]
            _log.warning("bank.fetch_failed", account=account.account_id, error=problem)
            every_s = min(every_s, _AFTER_FAILURE_S)
            await _end(self._services, fetches, problem)
        self._due_s[account.account_id] = asyncio.get_running_loop().time() + every_s

    async def _fetch(self, account: BankAccount, fetches: Sequence[UUID]) -> None:
        follow = self._services.follow
        today = bank_day(self._services.clock.now())
        # What files said so far may have holes: the first look takes in all of it.
        until = account.fetched_to if account.by_api and account.fetched_to else None
        until = min(until or account.followed_from, today)
        first = max(account.followed_from, until - timedelta(days=follow.overlap_days))
        last = max(first, today + timedelta(days=follow.days_ahead))
        asked = None
        for fetch_id in fetches:
            asked = await self._services.pool.fetchval(SQL.begin_fetch, fetch_id, first)
        rows = await self._bank.transactions(account.account_id, first, last)
        fetched = replace(settled(rows, first, last, account.exponent), today=today)
        async with self._services.pool.acquire() as connection, connection.transaction():
            stored = await store(connection, account.account_id, fetched, asked)
            for fetch_id in fetches:
                await connection.fetch(
                    SQL.end_fetch, fetch_id, stored.rows, stored.new, stored.exceptions, None
                )
        stored.count()
        metrics.FETCHES.labels("done").inc()
        _log.info("bank.fetched", account=account.account_id, rows=stored.rows, new=stored.new)
        self._services.wake("matching")


class WithoutApi:
    """The step in its place where there is no API: whoever wants the bank looked at is told so."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        waiting = await self._services.pool.fetch(SQL.waiting_fetches)
        await _end(self._services, [record["fetch_id"] for record in waiting], _NO_API)


async def _end(services: Services, fetches: Sequence[UUID], problem: str) -> None:
    for fetch_id in fetches:
        await services.pool.fetch(SQL.end_fetch, fetch_id, 0, 0, 0, problem)
