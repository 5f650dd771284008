"""Statement files that were handed in: read whole, compared and stored like what the API says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

import asyncpg
import structlog

from bank.accounts import followed
from bank.failures import PASSING
from bank.files.contents import Contents, sums_of
from bank.files.formats import FileInvalid, read
from bank.investec.fields import SHOWN
from bank.investec.records import bank_day
from bank.services import Services
from bank.sql import DEPOSITS as SQL
from bank.stored import BankAccount
from bank.storing import Stored, store
from topology.texts import clean

#: What a database will not keep, however often it is asked.
_NOT_STORABLE = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)
#: Of one file; nobody looks at more. It is another account's, or not in the bank's order.
_MOST_EXCEPTIONS: Final = 1000

_log = structlog.get_logger(__name__)


class Files:
    """The step that reads them, one after the other in the order of their arrival."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        """Raises a database's error, once whatever it does not stand in the way of is done."""
        failed: dict[str, Exception] = {}
        # Files of one account are read in their order, those of the others meanwhile.
        while (file := await self._first(list(failed))) is not None:
            try:
                await self._take(file)
            except PASSING as error:
                failed[file["account_id"]] = error
            self._services.wake("matching")
        if failed:
            raise next(iter(failed.values()))

    async def _first(self, but_of: Sequence[str]) -> Mapping[str, Any] | None:
        found: Mapping[str, Any] | None = await self._services.pool.fetchrow(
            SQL.waiting_statements, but_of
        )
        return found

    async def _take(self, file: Mapping[str, Any]) -> None:
        accounts = {each.account_id: each for each in await followed(self._services.pool)}
        account = accounts[file["account_id"]]
        try:
            contents = await asyncio.to_thread(self._read, file, account)
            await self._store(file, account, contents)
        except FileInvalid as error:
            await self._refuse(file, str(error))
        except Exception as error:
            if isinstance(error, PASSING) and not isinstance(error, _NOT_STORABLE):
                raise
            # Whatever is in a file must not stop those behind it.
            _log.exception("bank.file_defect", file=str(file["statement_id"]))
            await self._refuse(file, f"it was not taken in, which is a defect of ours: {error!r}")

    async def _refuse(self, file: Mapping[str, Any], problem: str) -> None:
        """For good. The problem quotes the file, which may hold what no database keeps."""
        told = clean(problem)[:SHOWN]
        _log.warning("bank.file_refused", file=str(file["statement_id"]), why=told)
        await self._services.pool.fetch(SQL.end_statement, file["statement_id"], 0, 0, 0, told)

    def _read(self, file: Mapping[str, Any], account: BankAccount) -> Contents:
        """Raises ``FileInvalid``."""
        configured = self._services.follow.numbers.get(account.account_id)
        return read(
            *(file["format"], file["body"], file["columns"]),
            *(account.currency, account.exponent),
            bank_day(file["uploaded"]),
            (account.account_id, account.account_number, configured),
        )

    async def _store(
        self, file: Mapping[str, Any], account: BankAccount, contents: Contents
    ) -> None:
        """Once somebody else has agreed; until then nothing is kept of it but what they have to
        agree to. One that says nothing new still proves days: that takes two as well."""
        async with self._services.pool.acquire() as connection:
            attempt = connection.transaction()
            await attempt.start()
            try:
                stored = await store(connection, account.account_id, contents.fetched)
                if stored.exceptions > _MOST_EXCEPTIONS:
                    raise FileInvalid(
                        f"people would have to look at {stored.exceptions} rows of it"
                    )
                found = (file["statement_id"], stored.rows, stored.new, stored.exceptions)
                told = _told(contents, stored)
                if file["approved"]:
                    await connection.execute(SQL.tell_statement, file["statement_id"], *told)
                    await connection.fetch(SQL.end_statement, *found, None)
                    await attempt.commit()
                    stored.count()
                    return
            except BaseException:
                await attempt.rollback()
                raise
            await attempt.rollback()
            async with connection.transaction():
                await connection.execute(SQL.tell_statement, file["statement_id"], *told)
                await connection.fetch(SQL.await_approval, *found)


def _told(contents: Contents, stored: Stored) -> tuple[object, ...]:
    """What ``tell_statement`` takes."""
    booked = [line.posting_date for line in contents.fetched.lines]
    first, last = contents.accounted or (None, None)
    return (
        *(contents.account, contents.confirmed),
        *(min(booked, default=None), max(booked, default=None), first, last),
        *(contents.opening_minor, contents.closing_minor),
        *sums_of(contents.fetched.lines),
        *sums_of(stored.added),
    )
