"""Keeping a file that arrives: a piece at a time, and never more than a piece in memory.

An upload that is cut short keeps every byte that came. It is continued where it stands (PATCH), or
by sending the whole file again: what is there already is compared, not stored twice.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Final

from starlette.requests import ClientDisconnect

from gateway.backend import Files
from gateway.call import Call
from gateway.problems import DATABASE_AWAY, GatewayCode, Refusal
from ledger import batches
from ledger.batches import Batch, Status
from ledger.rejections import Code
from ledger.sql import BATCHES as SQL

#: A row of an upload.
_PIECE: Final = 1024 * 1024
_STORE_LIMIT_S: Final = 30.0
_LAST_PIECE_S: Final = 2.0
#: Files are read within seconds, those that ended unread are tidied within a minute.
_ROOM_AFTER_S: Final = 30


async def receive(call: Call, files: Files, batch: Batch, offset: int) -> None:
    """Take the request's body as the file's bytes from ``offset`` on, to its end.

    Raises ``Refusal`` where it is too large, not the file that was begun, where somebody else
    uploads it at the same time, or while other files take all the room that there is.
    """
    _require_size(call, files, offset)
    await _require_room(call, files, batch, offset)
    upload = _Upload(files, batch.batch_id, offset)
    await upload.catch_up(offset)
    if offset == 0 and batch.received_bytes:
        upload.expect_known(batch.received_bytes)
    try:
        async for part in _body(call):
            await upload.take(part)
        await upload.end()
    except (ClientDisconnect, asyncio.CancelledError):
        await upload.keep_rest()
        raise


async def is_same(call: Call, files: Files, batch: Batch) -> bool:
    """Whether the request's body is the very file that arrived before; nothing is kept of it."""
    _require_size(call, files, 0)
    digest, size = hashlib.sha256(), 0
    async for part in _body(call):
        digest.update(part)
        size += len(part)
        if size > batch.received_bytes:
            return False
    return digest.digest() == batch.digest


def conflict(batch: Batch, detail: str) -> Refusal:
    """The batch is not what the caller takes it for; the head says where its upload stands."""
    return Refusal(GatewayCode.BATCH_CONFLICT, detail, headers=[offset_header(batch)])


def offset_header(batch: Batch) -> tuple[bytes, bytes]:
    return b"upload-offset", b"%d" % batch.received_bytes


class _Upload:
    def __init__(self, files: Files, batch_id: str, position: int) -> None:
        self._files, self._batch_id = files, batch_id
        self._digest = hashlib.sha256()
        self._buffer = bytearray()
        self._position = position
        """Of the buffer's first byte."""
        self._known_until = 0
        """Up to here the bytes are there and are only compared."""
        self._known = b""
        self._known_from = 0

    async def catch_up(self, offset: int) -> None:
        """Take into the digest what is there already."""
        position = 0
        while position < offset:
            piece = await self._piece(position)
            self._digest.update(piece)
            position += len(piece)

    def expect_known(self, until: int) -> None:
        self._known_until = until

    async def take(self, part: bytes) -> None:
        self._buffer += part
        if self._position + len(self._buffer) > self._files.most_bytes:
            too_large = _too_large(self._files.most_bytes)
            await self._files.store.fetch(SQL.fail_upload, self._batch_id, str(too_large))
            raise too_large
        await self._compare(final=False)
        while len(self._buffer) >= _PIECE and self._position >= self._known_until:
            await self._store(bytes(self._buffer[:_PIECE]))

    async def end(self) -> None:
        """All of it has come."""
        await self._compare(final=True)
        if self._buffer:
            await self._store(bytes(self._buffer))
        arrived = await self._files.store.fetchval(
            SQL.arrived, self._batch_id, self._position, self._digest.digest()
        )
        if arrived is None:
            raise await self._moved_on()

    async def keep_rest(self) -> None:
        """The caller has left: what came of the next piece is kept, if the books can be reached."""
        with suppress(Refusal, *DATABASE_AWAY):
            async with asyncio.timeout(_LAST_PIECE_S):
                if self._buffer and self._position >= self._known_until:
                    await self._store(bytes(self._buffer))

    async def _store(self, piece: bytes) -> None:
        async with asyncio.timeout(_STORE_LIMIT_S):
            stored = await batches.append(
                self._files.store, self._batch_id, self._position, piece, self._files.most_staged
            )
        if not stored:
            raise await self._not_stored()
        self._advance(piece)

    async def _compare(self, *, final: bool) -> None:
        """Take off the buffer what is there already."""
        while self._buffer and self._position < self._known_until:
            if self._position >= self._known_from + len(self._known):
                self._known_from = self._position
                self._known = await self._piece(self._position)
            start = self._position - self._known_from
            count = min(len(self._known) - start, len(self._buffer))
            part = bytes(self._buffer[:count])
            if part != self._known[start : start + count]:
                raise await self._moved_on("another file was begun under this batchId")
            self._advance(part)
        if final and self._position < self._known_until:
            raise await self._moved_on("a longer file was begun under this batchId")

    def _advance(self, part: bytes) -> None:
        self._digest.update(part)
        del self._buffer[: len(part)]
        self._position += len(part)

    async def _piece(self, position: int) -> bytes:
        async with asyncio.timeout(_STORE_LIMIT_S):
            piece: bytes | None = await self._files.store.fetchval(
                SQL.piece, self._batch_id, position
            )
        if piece is None:
            raise await self._moved_on()
        return piece

    async def _not_stored(self) -> Refusal:
        batch = await batches.get(self._files.store, self._batch_id)
        stands = (Status.RECEIVING, self._position)
        if batch is not None and (batch.status, batch.received_bytes) == stands:
            return _no_room(batch)
        return await self._moved_on()

    async def _moved_on(self, why: str = "") -> Refusal:
        batch = await batches.get(self._files.store, self._batch_id)
        if batch is None:
            return Refusal(GatewayCode.BATCH_NOT_FOUND, "the batch is gone")
        if batch.status is not Status.RECEIVING and not why:
            why = f"the batch is {batch.status} by now"
        return conflict(batch, why or "the upload stands elsewhere: somebody else continues it")


async def _require_room(call: Call, files: Files, batch: Batch, offset: int) -> None:
    """Refuse what could not be kept to its end, before any of it is. Where the caller does not say
    how much it is, it is found out on the way."""
    announced = _announced(call)
    if announced is not None:
        missing = offset + announced - batch.received_bytes
        staged = await files.store.fetchval(SQL.staged)
        if missing > 0 and staged + missing > files.most_staged:
            raise _no_room(batch)


def _no_room(batch: Batch) -> Refusal:
    return Refusal(
        Code.UNAVAILABLE,
        "other files that are arriving take all the room there is: go on with this one when they"
        " have been read",
        headers=[offset_header(batch)],
        retry_after_s=_ROOM_AFTER_S,
    )


def _require_size(call: Call, files: Files, offset: int) -> None:
    announced = _announced(call)
    if announced is not None and offset + announced > files.most_bytes:
        raise _too_large(files.most_bytes)


def _announced(call: Call) -> int | None:
    value = call.field(b"content-length")
    return int(value[:20]) if value is not None and value.isdigit() else None


def _too_large(most_bytes: int) -> Refusal:
    return Refusal(GatewayCode.PAYLOAD_TOO_LARGE, f"the file is larger than {most_bytes} bytes")


async def _body(call: Call) -> AsyncIterator[bytes]:
    """No deadline: the connection ends one that has stopped arriving."""
    more = True
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        if part := message.get("body", b""):
            yield part
        more = message.get("more_body", False)
