"""Statement files that were handed in: read whole, compared and stored like what the API says."""

from __future__ import annotations

import asyncio

import structlog

from bank.accounts import followed
from bank.files.formats import FileInvalid, read
from bank.services import Services
from bank.sql import DEPOSITS as SQL
from bank.storing import store

_log = structlog.get_logger(__name__)


class Files:
    """The step that reads them, one after the other in the order of their arrival."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        pool = self._services.pool
        while (file := await pool.fetchrow(SQL.waiting_statements)) is not None:
            accounts = {each.account_id: each for each in await followed(pool)}
            account = accounts[file["account_id"]]
            try:
                fetched = await asyncio.to_thread(
                    read,
                    *(file["format"], file["body"], file["columns"]),
                    *(account.currency, account.exponent),
                )
            except Exception as error:  # whatever is in a file must not stop those behind it
                problem = str(error)
                if not isinstance(error, FileInvalid):
                    _log.exception("bank.file_defect", file=str(file["statement_id"]))
                    problem = f"it could not be read, which is a defect of ours: {error!r}"
                _log.warning("bank.file_refused", file=str(file["statement_id"]), why=problem)
                await pool.fetch(SQL.end_statement, file["statement_id"], 0, 0, 0, problem)
                continue
            async with pool.acquire() as connection, connection.transaction():
                stored = await store(connection, account.account_id, fetched)
                await connection.fetch(
                    SQL.end_statement,
                    *(file["statement_id"], stored.rows, stored.new, stored.exceptions, None),
                )
            self._services.wake("matching")
