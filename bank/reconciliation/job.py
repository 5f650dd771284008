"""One comparison from its claim to its last word, whatever happens on the way."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import asyncpg
import msgspec
import structlog

from bank.failures import DATABASE_ERRORS
from bank.reconciliation import eclipse, requests, schedule, tie_out
from bank.reconciliation.eclipse import NotComplete
from bank.reconciliation.found import Found
from bank.reconciliation.requests import Claimed, Kind, Request, Superseded
from bank.reconciliation.staging import stage
from ledger.behind import Behind
from ledger.database import UNREACHABLE, connect_comparer
from producers.bulk.unpacking import Unreadable
from topology.documents import Document, timestamp
from topology.process import end
from topology.texts import clean

#: Tries that nobody brought to an end: the process was killed by it, or it met a defect.
_MOST_TRIES: Final = 5
#: A period that is not complete this long after it was asked for has something wrong with it.
_COMPLETE_WITHIN: Final = timedelta(hours=24)
_TRY_AGAIN: Final = timedelta(seconds=5)
_RENEW_EVERY_S: Final = 3.0
_GIVE_BACK_S: Final = 1.0
#: Of an error, in a reason.
_SHOWN: Final = 200

#: What says nothing about the comparison itself; a statement that takes too long is not among it.
_AWAY: Final = (
    *UNREACHABLE,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.CannotConnectNowError,
)

_json: Final = msgspec.json.Encoder()
_log = structlog.get_logger(__name__)


class Job:
    """``dsn`` and ``pool`` as the role sov_banker."""

    def __init__(self, dsn: str, pool: asyncpg.Pool[Any], most_bytes: int) -> None:
        self._dsn, self._pool, self._most_bytes = dsn, pool, most_bytes
        self.working_on: str | None = None

    async def do(self, reconciliation_id: str) -> None:
        """Compare, unless that is done or somebody is at it. Raises one of ``DATABASE_ERRORS``
        where not even that can be found out; then it is found again by its row."""
        claimed = await requests.claim(self._pool, reconciliation_id)
        if claimed is None:
            return
        self.working_on = reconciliation_id
        log = _log.bind(reconciliation=reconciliation_id, attempt=claimed.request.attempt)
        log.info("reconciliation.claimed", tries=claimed.tries)
        try:
            await self._try(claimed)
        except Superseded:
            log.warning("reconciliation.superseded")
        finally:
            self.working_on = None
        log.info("reconciliation.left")

    async def _try(self, claimed: Claimed) -> None:
        request = claimed.request
        if claimed.tries > _MOST_TRIES:
            why = f": {request.reason}" if request.reason else ", and left no word"
            reason = f"given up: it was begun {_MOST_TRIES} times and never ended{why}"
            await requests.fail(self._pool, request, reason)
            return
        try:
            await self._leased(request)
        except NotComplete as problem:
            await self._wait(request, problem)
        except Unreadable as problem:
            await requests.fail(self._pool, request, f"the extract {problem}")
        except tie_out.NothingToCompare as problem:
            await requests.fail(self._pool, request, str(problem))
        except Superseded:
            raise
        except DATABASE_ERRORS as error:
            _log.warning("reconciliation.interrupted", error=repr(error))
            passing = isinstance(error, _AWAY)
            what = "the database was lost" if passing else "the database would not do it"
            await self._postpone(request, f"{what}: {_told(error)}", failed=not passing)
        except asyncio.CancelledError:
            with suppress(*DATABASE_ERRORS):
                async with asyncio.timeout(_GIVE_BACK_S):
                    await requests.postpone(
                        self._pool, request, timedelta(0), "the process was stopped", failed=False
                    )
            raise
        except Exception as error:
            _log.exception("reconciliation.defect")
            reason = f"a defect of ours, see the log: {_told(error)}"
            await self._postpone(request, reason, failed=True)

    async def _wait(self, request: Request, problem: NotComplete) -> None:
        waited = datetime.now(UTC) - request.created
        if waited > _COMPLETE_WITHIN:
            reason = f"the period is still not complete: {problem}"
            await requests.fail(self._pool, request, reason)
        else:
            reason = f"waits for the period to be complete: {problem}"
            pause = schedule.pause_after(waited)
            await requests.postpone(self._pool, request, pause, reason, failed=False)
            moment = request.order.period_to
            await tie_out.ask_for_statements(self._pool, problem.accounts, moment)

    async def _postpone(self, request: Request, reason: str, *, failed: bool) -> None:
        await requests.postpone(self._pool, request, _TRY_AGAIN, reason, failed=failed)

    async def _leased(self, request: Request) -> None:
        """Compare, and keep the lease meanwhile."""
        comparing = asyncio.ensure_future(self._compare(request))
        renewing = asyncio.ensure_future(self._renew(request))
        try:
            await asyncio.wait({comparing, renewing}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            finished = comparing.done()
            await end([comparing, renewing])
        (comparing if finished else renewing).result()

    async def _renew(self, request: Request) -> None:
        """Until cancelled. Raises ``Superseded``."""
        while True:
            await asyncio.sleep(_RENEW_EVERY_S)
            try:
                await requests.renew(self._pool, request)
            except DATABASE_ERRORS as error:
                _log.warning("reconciliation.renew_failed", error=repr(error))

    async def _compare(self, request: Request) -> None:
        await requests.drop_former(self._pool, request)
        connection = await connect_comparer(self._dsn)
        try:
            async with Behind() as behind:
                found = Found(self._pool, request, behind)
                report = await self._report(connection, request, found)
                await found.flush()
        finally:
            # With all it has staged. A look that is over leaves nothing to say to the server.
            connection.terminate()
        await self._finish(request, found, report)

    async def _report(
        self, connection: asyncpg.Connection[Any], request: Request, found: Found
    ) -> Document:
        if request.order.kind is Kind.BANK:
            return await tie_out.compare(connection, request, found)
        # What is complete stays so: a file is not staged only to find that it has to wait.
        await eclipse.require_complete(connection, request)
        staged = await stage(connection, self._pool, request, found, self._most_bytes)
        return await eclipse.compare(connection, request, staged, found)

    async def _finish(self, request: Request, found: Found, report: Document) -> None:
        agrees = found.count == 0 and not report["unexplained"]
        document = {
            "reconciliationId": request.reconciliation_id,
            "agrees": agrees,
            "periodFrom": timestamp(request.order.period_from),
            "periodTo": timestamp(request.order.period_to),
            **report,
            "differences": dict(found.kinds),
        }
        text = _json.encode(document).decode()
        await requests.finish(self._pool, request, found.count, agrees=agrees, document=text)


def _told(error: Exception) -> str:
    """Its kind; and its words where they are PostgreSQL's own, which name no machine."""
    words = f": {error}" if isinstance(error, asyncpg.PostgresError) else ""
    return clean(f"{type(error).__name__}{words}")[:_SHOWN]
