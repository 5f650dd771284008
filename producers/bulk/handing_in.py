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
from producers.bulk.ids import BATCH_ID
from topology.deadlines import EARLIEST_DEADLINE
from topology.settings import MOST_STAGED

_PIECE: Final = 1024 * 1024


class NotTheSame(Exception):
    """The id belongs to another file, or to one that has ended."""


class NoRoom(Exception):
    """All uploads together have as many bytes as they may: try again when files have been read."""


async def hand_in(
    connection: Queries,
    batch_id: str,
    actor: str,
    order: Order,
    pieces: AsyncIterator[bytes],
    *,
    most_staged: int = MOST_STAGED,
) -> Batch:
    """Keep the file's bytes; answers the batch once all of them are there.

    May be repeated with the same bytes after it was broken off: those that are there are compared,
    not stored twice. Raises ``NotTheSame``, ``NoRoom``, ``ValueError`` for an id or a time that
    nobody could give over HTTP either, or what the database raises.
    """
    _require_usable(batch_id, order)
    await batches.create(connection, batch_id, actor, order)
    batch = await batches.get(connection, batch_id)
    if batch is None or batch.order != order:
        raise NotTheSame(f"{batch_id} was handed in with other parameters")
    digest, position = hashlib.sha256(), 0
    receiving = batch.status is Status.RECEIVING
    kept, known = batch.received_bytes, _Kept(connection, batch_id)
    async for piece in _regular(pieces):
        digest.update(piece)
        count = max(0, kept - position)
        # What has arrived whole is compared by its digest; its bytes may be gone.
        if receiving and not await known.goes_on_with(piece[:count]):
            raise NotTheSame(f"another file was begun under {batch_id}")
        fresh = piece[count:]
        start = position + len(piece) - len(fresh)
        if fresh and not await batches.append(connection, batch_id, start, fresh, most_staged):
            raise await _not_stored(connection, batch_id, start)
        position += len(piece)
    if receiving:
        await connection.fetchval(SQL.arrived, batch_id, position, digest.digest())
    arrived = await batches.get(connection, batch_id)
    if arrived is None or arrived.digest != digest.digest():
        raise NotTheSame(f"{batch_id} is another file")
    return arrived


async def _not_stored(connection: Queries, batch_id: str, position: int) -> Exception:
    batch = await batches.get(connection, batch_id)
    stands = (Status.RECEIVING, position)
    if batch is not None and (batch.status, batch.received_bytes) == stands:
        return NoRoom(f"no room for {batch_id} behind its first {position} bytes")
    return NotTheSame(f"{batch_id} is longer, or somebody else hands it in")


class _Kept:
    """The bytes that are there already, read a stored piece at a time."""

    def __init__(self, connection: Queries, batch_id: str) -> None:
        self._connection, self._batch_id = connection, batch_id
        self._rest = b""
        """Of the piece that was read last."""
        self._position = 0
        """Where the next one starts."""

    async def goes_on_with(self, part: bytes) -> bool:
        """Whether these are the next bytes."""
        while part:
            if not self._rest and not await self._read():
                return False
            count = min(len(self._rest), len(part))
            if part[:count] != self._rest[:count]:
                return False
            part, self._rest = part[count:], self._rest[count:]
        return True

    async def _read(self) -> bool:
        found: bytes | None = await self._connection.fetchval(
            SQL.piece, self._batch_id, self._position
        )
        self._rest = found or b""
        self._position += len(self._rest)
        return bool(self._rest)


def _require_usable(batch_id: str, order: Order) -> None:
    if not BATCH_ID.fullmatch(batch_id):
        raise ValueError(f"{batch_id!r} is no batch id: letters, digits, dots, - and _")
    if order.not_after is not None and order.not_after < EARLIEST_DEADLINE:
        raise ValueError(f"not_after must not be before {EARLIEST_DEADLINE:%Y-%m-%d}")


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
