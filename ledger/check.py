"""What would become of a command now: the rules themselves, on books that are only looked at."""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import asyncpg
import uuid_utils.compat
from asyncpg.pool import PoolConnectionProxy

from ledger.commands import Command, PostTransfer, Submission
from ledger.decide import Source, decide
from ledger.load import Needs, load
from ledger.rejections import Rejection
from ledger.transfers import decide_transfer

_NOBODY = UUID(int=0)
#: What is made here is thrown away; only a group needs its ids to differ.
_SOURCE: Final = Source(new_id=uuid_utils.compat.uuid7, new_reference=str)


async def check_transfer(
    connection: asyncpg.Connection | PoolConnectionProxy, command: PostTransfer
) -> Rejection | None:
    """The refusal that the transfer would meet, or None. Nothing is locked or written."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        loaded = await load(connection, Needs.of([command]), lock=False)
    result = decide_transfer(command, loaded.books, _NOBODY, lambda: _NOBODY)
    return result if isinstance(result, Rejection) else None


async def check_command(
    connection: asyncpg.Connection | PoolConnectionProxy, command: Command
) -> Rejection | None:
    """The refusal that the command would meet if it were sent and decided now, or None. Nothing is
    locked or written; raises what it would break."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        books = (await load(connection, Needs.of([command]), lock=False)).books
    submission = Submission(
        command_id=_NOBODY,
        issued=books.at,
        deadline=books.at + timedelta(seconds=1),
        actor="",
        command=command,
    )
    result = decide(submission, books, _SOURCE)
    return result if isinstance(result, Rejection) else None
