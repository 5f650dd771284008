"""One bank process acts at a time; further ones stand by.

It leads who holds an advisory lock, and no longer than the session that holds it lives, which the
server ends when nothing was asked for ten seconds. A leader that was frozen, and goes on after
another one has taken over, finds out within a second and does no harm until then: whatever a step
does may be done twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final

import asyncpg
import structlog

from bank import metrics
from bank.failures import DATABASE_ERRORS
from bank.sql import LEADING as SQL
from ledger.database import connect_banker
from topology.process import end

CHANNEL: Final = "sov_bank"
_LOOK_EVERY_S: Final = 1.0

_log = structlog.get_logger(__name__)

Wake = Callable[[str], None]


class Leadership:
    """``lead`` runs while this process leads, and is cancelled when it no longer does; ``wake`` is
    told what others notify the leader of."""

    def __init__(self, dsn: str, lead: Callable[[], Awaitable[None]], wake: Wake) -> None:
        self._dsn, self._lead, self._wake = dsn, lead, wake
        self.leads = False

    async def run(self) -> None:
        """Stand by or lead, until cancelled. Raises what ``lead`` raises."""
        while True:
            try:
                connection = await connect_banker(self._dsn)
                try:
                    await self._hold(connection)
                finally:
                    connection.terminate()
            except DATABASE_ERRORS as error:
                _log.warning("bank.cannot_lead", error=repr(error))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _hold(self, connection: asyncpg.Connection[Any]) -> None:
        while not await connection.fetchval(SQL.try_lead):  # noqa: ASYNC110  the server's lock
            await asyncio.sleep(_LOOK_EVERY_S)
        await connection.add_listener(CHANNEL, self._heard)
        _log.info("bank.leads")
        leading = asyncio.ensure_future(self._lead())
        watching = asyncio.ensure_future(_watch(connection))
        self.leads = True
        metrics.LEADS.set(1)
        try:
            await asyncio.wait({leading, watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self.leads = False
            metrics.LEADS.set(0)
            await end([leading, watching])
        for task in (watching, leading):
            if not task.cancelled():
                task.result()

    def _heard(self, connection: object, pid: int, channel: str, payload: object) -> None:
        self._wake(str(payload))


async def _watch(connection: asyncpg.Connection[Any]) -> None:
    while True:
        await asyncio.sleep(_LOOK_EVERY_S)
        await connection.fetchval(SQL.still_there)
