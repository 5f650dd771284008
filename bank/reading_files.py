"""Statement files that were handed in: read whole, compared and stored like what the API says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import asyncpg
import structlog

from bank.accounts import followed
from bank.files.formats import FileInvalid, read
from bank.investec.records import bank_day
from bank.lines import Fetched
from bank.services import Services
from bank.sql import DEPOSITS as SQL
from bank.stored import BankAccount
from bank.storing import store

_NOT_STORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, OverflowError)
#: Of one file; nobody looks at more. It is another account's, or not in the bank's order.
_MOST_EXCEPTIONS: Final = 1000

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
                    (account.account_id, account.account_number),
                )
            except Exception as error:  # whatever is in a file must not stop those behind it
                problem = str(error)
                if not isinstance(error, FileInvalid):
                    _log.exception("bank.file_defect", file=str(file["statement_id"]))
                    problem = f"it could not be read, which is a defect of ours: {error!r}"
                _log.warning("bank.file_refused", file=str(file["statement_id"]), why=problem)
                await pool.fetch(SQL.end_statement, file["statement_id"], 0, 0, 0, problem)
                continue
            try:
                await self._store(file, account, self._until_today(fetched))
            except FileInvalid as error:
                await pool.fetch(SQL.end_statement, file["statement_id"], 0, 0, 0, str(error))
            except _NOT_STORABLE as error:
                _log.exception("bank.file_defect", file=str(file["statement_id"]))
                problem = f"it could not be stored: {error}"
                await pool.fetch(SQL.end_statement, file["statement_id"], 0, 0, 0, problem)
            self._services.wake("matching")

    def _until_today(self, fetched: Fetched) -> Fetched:
        """No file says what will not be there on a day to come, whatever it says that it covers."""
        today = bank_day(self._services.clock.now())
        return replace(
            fetched, first=min(fetched.first, today), last=min(fetched.last, today), today=today
        )

    async def _store(self, file: Mapping[str, Any], account: BankAccount, fetched: Fetched) -> None:
        """Unless it says something new and nobody else has agreed to it: then nothing is kept of it
        but how much that was."""
        async with self._services.pool.acquire() as connection:
            attempt = connection.transaction()
            await attempt.start()
            try:
                stored = await store(connection, account.account_id, fetched)
                if stored.exceptions > _MOST_EXCEPTIONS:
                    raise FileInvalid(
                        f"people would have to look at {stored.exceptions} rows of it"
                    )
                found = (file["statement_id"], stored.rows, stored.new, stored.exceptions)
                if file["approved"] or not (stored.new or stored.exceptions or stored.changed):
                    await connection.execute(SQL.covers, found[0], fetched.complete_to)
                    await connection.fetch(SQL.end_statement, *found, None)
                    await attempt.commit()
                    stored.count()
                    return
            except BaseException:
                await attempt.rollback()
                raise
            await attempt.rollback()
            await connection.fetch(SQL.await_approval, *found)
