"""The process that works bulk files off: whose turn it is, and what is left behind."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import asyncpg
import structlog

from ledger import batches, layouts, lookup
from ledger.batches import Wish
from ledger.database import uploader_pool
from ledger.deployment import Deployment
from ledger.outcomes import Outcome
from ledger.sql import BATCHES as SQL
from producers.bulk.currencies import Currencies
from producers.bulk.file import DATABASE_ERRORS, File
from producers.bulk.lanes import Broker, Lanes
from producers.bulk.opening import Services
from producers.bulk.replayed import Replays
from producers.clock import DatabaseClock
from producers.intake import Intake
from producers.replies import ReplyQueue
from topology.process import end

#: Files at once: a short one need not wait for the end of a long one. They share the lanes.
_MOST_FILES: Final = 4
_CONNECTIONS: Final = 6
_OWN_CONNECTIONS: Final = 2
_LOOK_EVERY_S: Final = 0.25
_RENEW_EVERY_S: Final = 1.0
_TIDY_EVERY_S: Final = 60.0
_FOLLOW_EVERY_S: Final = 5.0
_RETRY_S: Final = 1.0
_DRAIN_S: Final = 6.0

_log = structlog.get_logger(__name__)


class Bulk:
    """``topology.process.Program``."""

    def __init__(self, dsn: str, url: str, deployment: Deployment, most_bytes: int) -> None:
        self._dsn, self._url, self._deployment = dsn, url, deployment
        self._most_bytes = most_bytes
        self._worker = f"bulk-{secrets.token_hex(6)}"
        self._stopping = asyncio.Event()
        self._files: dict[str, File] = {}
        self._pool: asyncpg.Pool[Any] | None = None
        self._replies: ReplyQueue | None = None

    @property
    def ready(self) -> bool:
        return self._replies is not None and self._replies.name is not None

    def stop(self) -> None:
        self._stopping.set()

    def report(self) -> Mapping[str, object]:
        return {"files": sorted(self._files)}

    async def run(self) -> None:
        """Work until stopped, through losses of either server. Raises ``LayoutChanged``."""
        pool = await self._connected()
        if pool is None:
            return
        # Never behind the files' own statements: a lease that is renewed too late is lost.
        own = await uploader_pool(self._dsn, size=_OWN_CONNECTIONS)
        clock, intake = DatabaseClock(own), Intake(own, self._deployment)
        layout = self._deployment.layout
        broker = Broker(self._url, f"{self._worker} commands", layout.number)

        async def find(command_ids: Sequence[UUID]) -> dict[UUID, Outcome]:
            return await lookup.outcomes(pool, command_ids)

        lanes = Lanes(broker, layout.partitions, find, intake.require_open, DATABASE_ERRORS)
        self._replies = replies = ReplyQueue(self._url, f"{self._worker} replies", lanes.settle)
        former = {old.number: old for old in await layouts.before(pool, layout)}
        services = Services(
            queries=pool,
            currencies=Currencies(pool),
            clock=clock,
            lanes=lanes,
            find=find,
            worker=self._worker,
            reply_to=lambda: replies.name,
            layout=layout,
            former=former,
        )
        parts = [
            asyncio.ensure_future(part)
            for part in (
                *(clock.run(), intake.run(), replies.run()),
                *(self._work(pool, services), self._renew(own), self._tidy(pool)),
                self._follow_replays(pool, services),
            )
        ]
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            done, _ = await asyncio.wait({*parts, stopping}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._drain()
        finally:
            await end([file.task for file in self._files.values()])
            await self._give_back(pool)
            await end([*parts, stopping])
            await broker.close()
            pool.terminate()
            own.terminate()

    async def _connected(self) -> asyncpg.Pool[Any] | None:
        while not self._stopping.is_set():
            try:
                return await uploader_pool(self._dsn, size=_CONNECTIONS)
            except DATABASE_ERRORS as error:
                _log.warning("bulk.database_unreachable", error=repr(error))
                await asyncio.sleep(_RETRY_S)
        return None

    async def _drain(self) -> None:
        """Let what was sent be heard of; the rest is found by whoever goes on."""
        for file in self._files.values():
            file.wish(Wish.PAUSE)
        tasks = [file.task for file in self._files.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=_DRAIN_S)

    async def _give_back(self, pool: asyncpg.Pool[Any]) -> None:
        try:
            async with asyncio.timeout(1):
                await pool.fetch(SQL.release, self._worker, list(self._files))
        except DATABASE_ERRORS:
            return  # the leases end by themselves

    async def _work(self, pool: asyncpg.Pool[Any], services: Services) -> None:
        while not self._stopping.is_set():
            for batch_id in [b for b, file in self._files.items() if file.task.done()]:
                del self._files[batch_id]
            claimed = None
            if len(self._files) < _MOST_FILES:
                claimed = await self._claim(pool)
            if claimed is not None:
                self._files[claimed] = File(pool, services, claimed, self._most_bytes)
            else:
                await asyncio.sleep(_LOOK_EVERY_S)

    async def _claim(self, pool: asyncpg.Pool[Any]) -> str | None:
        try:
            found: str | None = await pool.fetchval(
                SQL.claim, self._worker, batches.LEASE, list(self._files)
            )
        except DATABASE_ERRORS as error:
            _log.warning("bulk.claim_failed", error=repr(error))
            await asyncio.sleep(_RETRY_S)
            return None
        return found

    async def _renew(self, pool: asyncpg.Pool[Any]) -> None:
        """Keep the leases, and hear what is wished."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            working = {b: f for b, f in self._files.items() if not f.task.done()}
            if not working or self._stopping.is_set():
                continue
            try:
                rows = await pool.fetch(SQL.renew, self._worker, batches.LEASE, list(working))
            except DATABASE_ERRORS as error:
                _log.warning("bulk.renew_failed", error=repr(error))
                continue
            wishes = {row["batch_id"]: Wish(row["wish"]) for row in rows}
            for batch_id, file in working.items():
                file.wish(wishes.get(batch_id, Wish.PAUSE))

    async def _follow_replays(self, pool: asyncpg.Pool[Any], services: Services) -> None:
        replays = Replays(pool, services)
        while True:
            try:
                await replays.follow()
            except DATABASE_ERRORS as error:
                _log.warning("bulk.replays_not_followed", error=repr(error))
            await asyncio.sleep(_FOLLOW_EVERY_S)

    async def _tidy(self, pool: asyncpg.Pool[Any]) -> None:
        """Uploads that nobody goes on with, bytes of what has ended, results that are too old."""
        while True:
            try:
                await pool.fetch(SQL.stale_uploads, batches.CONTINUE_WITHIN)
                for row in await pool.fetch(SQL.leftovers):
                    await pool.fetch(SQL.drop_uploads, row["batch_id"])
                for row in await pool.fetch(SQL.outdated, batches.KEPT):
                    await pool.fetch(SQL.drop_uploads, row["batch_id"])
                    await pool.fetch(SQL.drop_lots, row["batch_id"], self._worker)
                    await pool.fetch(SQL.forget, row["batch_id"])
            except DATABASE_ERRORS as error:
                _log.warning("bulk.tidy_failed", error=repr(error))
            await asyncio.sleep(_TIDY_EVERY_S)
