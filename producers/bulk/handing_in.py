"""Handing a file in without HTTP: for jobs that sit next to the database already.

    pool = await uploader_pool(dsn, size=1)
    order = Order(Kind.TRANSFERS, Format.NDJSON, "identity")
    batch = await hand_in(pool, "payroll-2026-03", "payroll-job", order, pieces)

The bytes are what a caller over HTTP would send, and are read by the same rules. ``ledger.batches``
has the rest: ``get``, ``progress``, ``wish``, ``results``.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from typing import Final

from ledger import batches
from ledger.batches import Batch, Order, Status
from ledger.database import Queries
from ledger.sql import BATCHES as SQL

_PIECE: Final = 1024 * 1024


class NotTheSame(Exception):
    """The id belongs to another file, or to one that has ended."""


async def hand_in(
    connection: Queries, batch_id: str, actor: str, order: Order, pieces: AsyncIterator[bytes]
) -> Batch:
    """Keep the file's bytes; answers the batch once all of them are there.

    May be repeated with the same bytes after it was broken off: those that are there are passed
    over. Raises ``NotTheSame``, or what the database raises.
    """
    await batches.create(connection, batch_id, actor, order)
    batch = await batches.get(connection, batch_id)
    if batch is None or batch.order != order:
        raise NotTheSame(f"{batch_id} was handed in with other parameters")
    digest, position = hashlib.sha256(), 0
    kept = batch.received_bytes
    async for piece in _regular(pieces):
        digest.update(piece)
        fresh = piece[max(0, kept - position) :]
        if fresh and not await batches.append(
            connection, batch_id, position + len(piece) - len(fresh), fresh
        ):
            raise NotTheSame(f"{batch_id} is longer, or somebody else hands it in")
        position += len(piece)
    if batch.status is Status.RECEIVING:
        await connection.fetchval(SQL.arrived, batch_id, position, digest.digest())
    arrived = await batches.get(connection, batch_id)
    if arrived is None or arrived.digest != digest.digest():
        raise NotTheSame(f"{batch_id} is another file")
    return arrived


async def _regular(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The same bytes in pieces that are worth a row each."""
    buffer = bytearray()
    async for piece in pieces:
        buffer += piece
        while len(buffer) >= _PIECE:
            yield bytes(buffer[:_PIECE])
            del buffer[:_PIECE]
    if buffer:
        yield bytes(buffer)
