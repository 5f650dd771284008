"""Waiting for a database that is still coming up."""

from __future__ import annotations

import asyncio
from typing import Final

import asyncpg
import structlog

from ledger.database import UNREACHABLE, connect_writer
from ledger.deployment import Deployment, NotPrepared, read_deployment
from ledger.migrate import SchemaOutdated, require_current

_RETRY_S: Final = 0.5

_log = structlog.get_logger(__name__)


async def wait_for_books(dsn: str) -> Deployment:
    """The deployment, once the database answers. Raises ``SchemaOutdated`` or ``NotPrepared`` when
    it answers and is not ours: that does not mend itself."""
    while True:
        try:
            connection = await connect_writer(dsn)
            try:
                await require_current(connection)
                return await read_deployment(connection)
            finally:
                await connection.close(timeout=3)
        except (SchemaOutdated, NotPrepared):
            raise
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            _log.warning("database.unreachable", error=repr(error))
            await asyncio.sleep(_RETRY_S)
