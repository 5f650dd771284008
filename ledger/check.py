"""Whether a transfer would succeed now: the rules themselves, on books that are only looked at."""

from __future__ import annotations

from uuid import UUID

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from ledger.commands import PostTransfer
from ledger.load import Needs, load
from ledger.rejections import Rejection
from ledger.transfers import decide_transfer

_NOBODY = UUID(int=0)


async def check_transfer(
    connection: asyncpg.Connection | PoolConnectionProxy, command: PostTransfer
) -> Rejection | None:
    """The refusal that the transfer would meet, or None. Nothing is locked or written."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        loaded = await load(connection, Needs.of([command]), lock=False)
    result = decide_transfer(command, loaded.books, _NOBODY, lambda: _NOBODY)
    return result if isinstance(result, Rejection) else None
