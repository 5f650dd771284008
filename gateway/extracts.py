"""Keeping an extract that arrives, a piece at a time. One that is cut short is sent again from its
beginning: it is a file of some minutes, and nothing moves by it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import Final

from starlette.requests import ClientDisconnect

from bank.reconciliation import requests
from bank.reconciliation.requests import Request, Status
from bank.sql import RECONCILIATIONS as SQL
from gateway.backend import Extracts
from gateway.books import Books
from gateway.call import Call
from gateway.problems import GatewayCode, Refusal
from ledger.rejections import Code

_PIECE: Final = 1024 * 1024
_STORE_LIMIT_S: Final = 30.0
_ROOM_AFTER_S: Final = 60


async def receive(call: Call, store: Books, extracts: Extracts, request: Request) -> None:
    """Take the request's body as the whole extract. Raises ``Refusal`` where it is too large, where
    somebody else sends it at the same time, or where others take all the room that there is."""
    upload = await store.fetchval(SQL.begin_upload, request.reconciliation_id)
    if upload is None:
        raise conflict("its extract has arrived by now")
    digest, buffer, position = hashlib.sha256(), bytearray(), 0
    async for part in _body(call):
        digest.update(part)
        buffer += part
        if position + len(buffer) > extracts.most_bytes:
            detail = f"the extract is larger than {extracts.most_bytes} bytes"
            await store.fetch(SQL.fail_upload, request.reconciliation_id, upload, detail)
            raise Refusal(GatewayCode.PAYLOAD_TOO_LARGE, detail)
        while len(buffer) >= _PIECE:
            piece = bytes(buffer[:_PIECE])
            await _store(store, extracts, request, upload, position, piece)
            position += len(piece)
            del buffer[:_PIECE]
    if buffer:
        await _store(store, extracts, request, upload, position, bytes(buffer))
        position += len(buffer)
    arrived = await store.fetchval(
        SQL.arrived, request.reconciliation_id, upload, position, digest.digest()
    )
    if arrived is None:
        raise conflict("somebody else sends its extract at the same time")


async def is_same(call: Call, request: Request) -> bool:
    """Whether the request's body is the very extract that arrived before."""
    digest, size = hashlib.sha256(), 0
    async for part in _body(call):
        digest.update(part)
        size += len(part)
        if size > request.received_bytes:
            return False
    return digest.digest() == request.digest


def conflict(detail: str) -> Refusal:
    return Refusal(GatewayCode.RECONCILIATION_CONFLICT, detail)


async def _store(
    store: Books, extracts: Extracts, request: Request, upload: int, position: int, piece: bytes
) -> None:
    async with asyncio.timeout(_STORE_LIMIT_S):
        kept = await store.fetchval(
            SQL.append, request.reconciliation_id, upload, position, piece, extracts.most_staged
        )
        if kept is not None:
            return
        now = await requests.get(store, request.reconciliation_id)
    if now is not None and (now.status, now.attempt) == (Status.RECEIVING, upload):
        raise Refusal(
            Code.UNAVAILABLE,
            "other extracts take all the room there is: send it again when they are compared",
            retry_after_s=_ROOM_AFTER_S,
        )
    raise conflict("somebody else sends its extract at the same time")


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
