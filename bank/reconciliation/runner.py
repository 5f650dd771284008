"""The process that compares: ``./sov run reconciler``."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from datetime import time
from typing import Any, Final

import asyncpg
import structlog

from bank.failures import DATABASE_ERRORS
from bank.investec.records import bank_day
from bank.reconciliation import requests, schedule
from bank.reconciliation.job import Job
from bank.sql import TIE_OUTS
from ledger import reads
from ledger.database import banker_pool
from producers.reconciliations import ReconciliationCommands
from topology import names
from topology.envelopes import decode_reconciliation
from topology.errors import Malformed, Unavailable
from topology.process import end
from topology.settings import Settings
from topology.work_queue import WorkQueue

#: Who asked for what nobody asked for.
SCHEDULE: Final = "schedule"
_CONNECTIONS: Final = 4
_LOOK_EVERY_S: Final = 1.0
_KEEP_EVERY_S: Final = 60.0
_RETRY_S: Final = 1.0
#: Commands that are sent again at a time.
_MOST_RESENT: Final = 100

_log = structlog.get_logger(__name__)


class Reconciler:
    """``topology.process.Program``."""

    def __init__(self, settings: Settings) -> None:
        self._dsn, self._url = settings.banker_dsn, settings.gateway_amqp_url
        self._most_bytes = settings.bulk_max_bytes
        at = settings.reconcile_daily_at
        self._daily_at = time.fromisoformat(at) if at else None
        self._stopping = asyncio.Event()
        self._queue: WorkQueue | None = None
        self._job: Job | None = None

    @property
    def ready(self) -> bool:
        return self._queue is not None and self._queue.connected

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> Mapping[str, object]:
        return {
            "connected": self.ready,
            "comparing": None if self._job is None else self._job.working_on,
        }

    async def run(self) -> None:
        """Work until stopped, through losses of either server."""
        pool = await self._connected()
        if pool is None:
            return
        name = f"reconciler {os.getpid()}"
        self._job = job = Job(self._dsn, pool, self._most_bytes)
        commands = ReconciliationCommands(self._url, f"{name} commands")

        async def work(body: bytes) -> None:
            await self._work(job, body)

        self._queue = WorkQueue(self._url, name, names.RECONCILIATION_QUEUE, work)
        parts = [
            asyncio.ensure_future(part)
            for part in (self._queue.run(), self._look(pool, commands), self._keep(pool))
        ]
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            done, _ = await asyncio.wait({*parts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            # A comparison may be ended anywhere: it is begun again by whoever comes next.
            await end([*parts, stopping])
            await commands.close()
            pool.terminate()

    async def _connected(self) -> asyncpg.Pool[Any] | None:
        while not self._stopping.is_set():
            try:
                pool = await banker_pool(self._dsn, size=_CONNECTIONS)
                await reads.times(pool)
            except DATABASE_ERRORS as error:
                _log.warning("reconciler.database_unreachable", error=repr(error))
                await asyncio.sleep(_RETRY_S)
            else:
                return pool
        return None

    async def _work(self, job: Job, body: bytes) -> None:
        try:
            await job.do(decode_reconciliation(body))
        except Malformed as error:
            # Nothing is lost: what was to be compared is a row, and is sent again.
            _log.error("reconciler.unreadable_message", error=str(error))
        except DATABASE_ERRORS as error:
            _log.warning("reconciler.interrupted", error=repr(error))
            await asyncio.sleep(_RETRY_S)

    async def _look(self, pool: asyncpg.Pool[Any], commands: ReconciliationCommands) -> None:
        """Send again what was lost, or was never sent."""
        while True:
            try:
                for reconciliation_id in await requests.unsent(pool, _MOST_RESENT):
                    await commands.send(reconciliation_id)
            except (*DATABASE_ERRORS, Unavailable) as error:
                _log.warning("reconciler.not_sent", error=repr(error))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _ask_for_scheduled(self, pool: asyncpg.Pool[Any]) -> None:
        if self._daily_at is None:
            return
        now = (await reads.times(pool)).now
        known = await requests.named(pool, schedule.names(now, self._daily_at))
        for wanted in schedule.missing(now, self._daily_at, known):
            if await pool.fetchval(TIE_OUTS.followed, bank_day(wanted.order.period_from)):
                await requests.create(pool, wanted.reconciliation_id, SCHEDULE, wanted.order)
                await requests.resend(pool, wanted.reconciliation_id)

    async def _keep(self, pool: asyncpg.Pool[Any]) -> None:
        """What nobody waits for by the second."""
        while True:
            try:
                await requests.tidy(pool)
                await self._ask_for_scheduled(pool)
            except DATABASE_ERRORS as error:
                _log.warning("reconciler.not_kept", error=repr(error))
            await asyncio.sleep(_KEEP_EVERY_S)
