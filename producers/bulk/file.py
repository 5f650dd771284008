"""One bulk file from its turn to its end: read, then posted, estimated, or given up."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Final

import asyncpg
import structlog

from ledger import batches
from ledger.batches import Batch, LeaseLost, Status, Wish
from ledger.database import UNREACHABLE
from ledger.sql import BATCHES as SQL
from producers.bulk.atomic import run_atomically
from producers.bulk.dry_run import estimate
from producers.bulk.opening import Services
from producers.bulk.preparing import Stopped, prepare
from producers.bulk.running import Run
from producers.bulk.unpacking import Unreadable
from topology.command_ids import whole_milliseconds
from topology.deadlines import LONGEST_DEADLINE

_RETRY_S: Final = 1.0
#: Of a file that was not read to its end yet: then it is the file.
_MOST_DEFECTS: Final = 3

DATABASE_ERRORS: Final = (*UNREACHABLE, asyncpg.PostgresError)
_log = structlog.get_logger(__name__)


class File:
    """One file in this process's hands, until it is done, rests, or somebody else has it."""

    def __init__(
        self, pool: asyncpg.Pool[Any], services: Services, batch_id: str, most_bytes: int
    ) -> None:
        self._pool, self._services, self._worker = pool, services, services.worker
        self._batch_id, self._most_bytes = batch_id, most_bytes
        self._wish = Wish.RUN
        self._stopped = asyncio.Event()
        self._run: Run | None = None
        self.task = asyncio.create_task(self._work())

    def wish(self, wanted: Wish) -> None:
        self._wish = wanted
        if wanted is not Wish.RUN:
            self._stopped.set()
        if self._run is not None:
            self._run.heed(wanted)

    async def _work(self) -> None:
        try:
            await self._work_off()
        except* LeaseLost:
            _log.info("bulk.lease_lost", batch_id=self._batch_id)
        except* DATABASE_ERRORS as errors:
            _log.warning("bulk.interrupted", batch_id=self._batch_id, error=repr(errors))
            await self._let_go()
        except* Exception as errors:
            # A defect: when its lease has ended the file is tried again, after the others.
            _log.error("bulk.failed", batch_id=self._batch_id, exc_info=errors)
            await self._count_defect()

    async def _let_go(self) -> None:
        await asyncio.sleep(_RETRY_S)
        try:
            await self._pool.fetch(SQL.release, self._worker, [self._batch_id])
        except DATABASE_ERRORS:
            return  # its lease ends by itself

    async def _count_defect(self) -> None:
        """A file that cannot even be read is given up in the end."""
        with suppress(*DATABASE_ERRORS, LeaseLost):
            unread = await self._pool.fetchval(SQL.defect, self._batch_id, self._worker)
            if unread is not None and unread >= _MOST_DEFECTS:
                await self._fail("could not be read because of a defect: the log has it")
            elif unread:
                await self._let_go()

    async def _fail(self, reason: str) -> None:
        await batches.restart(self._pool, self._batch_id, self._worker)
        await self._finish(Status.FAILED, f"the file {reason}")

    async def _work_off(self) -> None:
        batch = await batches.get(self._pool, self._batch_id)
        if batch is None:
            return
        if batch.wish is not Wish.RUN:
            self.wish(batch.wish)  # wished while nobody had it
        if not batch.prepared:
            try:
                await prepare(self._pool, batch, self._worker, self._most_bytes, self._stopped)
            except Unreadable as error:
                _log.info("bulk.unreadable", batch_id=self._batch_id, reason=str(error))
                await self._fail(str(error))
                return
            except Stopped:
                if self._wish is Wish.CANCEL:
                    await batches.restart(self._pool, self._batch_id, self._worker)
                    await self._finish(Status.CANCELLED, None)
                else:
                    await self._pool.fetch(SQL.pause, self._batch_id, self._worker)
                return
            batch = await batches.get(self._pool, self._batch_id)
            if batch is None:
                return
        if batch.wish is Wish.PAUSE:
            await self._pool.fetch(SQL.pause, self._batch_id, self._worker)
            return
        await self._pool.fetch(SQL.begin, self._batch_id, self._worker)
        await self._carry_out(batch)

    async def _carry_out(self, batch: Batch) -> None:
        deadline = deadline_of(batch)
        if batch.order.dry_run:
            followed, reason = await estimate(self._services, batch, self._stopped), None
        elif batch.order.atomic:
            followed, reason = await run_atomically(self._services, batch, deadline, self._stopped)
        else:
            self._run = Run(self._services, batch, deadline)
            self._run.heed(self._wish)
            followed, reason = await self._run.run(), None
        if followed is Wish.PAUSE:
            await self._pool.fetch(SQL.pause, self._batch_id, self._worker)
        elif followed is Wish.CANCEL:
            await self._finish(Status.CANCELLED, reason)
        else:
            await self._finish(Status.DONE, reason)

    async def _finish(self, status: Status, reason: str | None) -> None:
        if not await self._pool.fetch(
            SQL.finish, self._batch_id, self._worker, status.value, reason
        ):
            # Something is left to be done, or somebody else has it: whoever is next sees.
            await self._pool.fetch(SQL.release, self._worker, [self._batch_id])
            return
        await self._pool.fetch(SQL.drop_uploads, self._batch_id)
        _log.info("bulk.finished", batch_id=self._batch_id, status=status.value)


def deadline_of(batch: Batch) -> datetime:
    """Fixed when the file was handed in: its commands' ids carry it."""
    latest = batch.created + LONGEST_DEADLINE - timedelta(seconds=1)
    return whole_milliseconds(min(batch.order.not_after or latest, latest))
