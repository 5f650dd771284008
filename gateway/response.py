"""One answer, as it goes out."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import msgspec
from starlette.types import Send

from topology.documents import Document

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class Answer:
    """A status, what stands in the body, and what goes into the head."""

    status: int
    content: Document | bytes | None = None
    headers: tuple[tuple[bytes, bytes], ...] = ()
    media_type: bytes = JSON
    code: str = ""
    """The problem's code, for the metrics; empty for successes."""

    def written(self) -> tuple[list[tuple[bytes, bytes]], bytes]:
        """Headers and body as they go out."""
        headers = list(self.headers)
        if self.content is None:
            return headers, b""
        body = self.content if isinstance(self.content, bytes) else _encode(self.content)
        headers += (
            (b"content-type", self.media_type),
            (b"content-length", b"%d" % len(body)),
        )
        return headers, body

    async def send(self, send: Send) -> None:
        headers, body = self.written()
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


async def _nothing() -> AsyncIterator[bytes]:
    empty: tuple[bytes, ...] = ()
    for part in empty:
        yield part


@dataclass(slots=True)
class Streamed(Answer):
    """An answer that is written while it goes out. One that breaks off ends its connection without
    the end that HTTP demands, so that no reader takes it for whole."""

    parts: AsyncIterator[bytes] = field(default_factory=_nothing)

    async def send(self, send: Send) -> None:
        headers = [*self.headers, (b"content-type", self.media_type)]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        async for part in self.parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body", "body": b""})
