"""One connection of a caller: limits on what it may send, and what happens when it leaves.

The server's own protocol bounds neither the head of a request nor the time it may take, and lets
work go on for callers that have left.
"""

from __future__ import annotations

import asyncio
import time
from http import HTTPStatus
from typing import Any, Final, Protocol

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway import problems
from gateway.exchange import new_trace_id
from gateway.problems import GatewayCode, Refusal

#: Keys, traces and preferences need a kilobyte or two.
HEAD_LIMIT: Final = 32 * 1024
HEAD_FIELDS: Final = 100
#: A request that has not arrived whole by then is not going to.
REQUEST_LIMIT_S: Final = 15.0
#: After a refusal the rest of the body is read and thrown away, so that the caller sees the answer;
#: a caller that does not stop is cut off.
_DISCARD_LIMIT: Final = 64 * 1024 * 1024

_EXTENSION: Final = "sov.connection"


class Work(Protocol):
    """What the middleware tells the connection about."""

    def begin_work(self, task: asyncio.Task[Any] | None) -> None: ...

    def end_work(self) -> None: ...

    def abort(self) -> None: ...


class Connection(HttpToolsProtocol):
    """The server's HTTP/1.1 protocol with our limits."""

    _work: asyncio.Task[Any] | None = None
    _waiting_since_s: float | None = None
    _refusal: Refusal | None = None
    _head_size = _head_fields = _discarded = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since_s = time.monotonic()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._work is not None:
            # Nobody hears the answer: what was not sent yet must not be.
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        if self._waiting_since_s is None and (self.cycle is None or self.cycle.response_complete):
            self._waiting_since_s = time.monotonic()
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_size = self._head_fields = 0
        # Typed as plain data; the server hands it through as it is.
        self.scope["extensions"] = {_EXTENSION: self}  # type: ignore[dict-item]

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count(len(url), 0)

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._count(len(name) + len(value), 1)

    def on_body(self, body: bytes) -> None:
        super().on_body(body)
        if self.cycle is not None and self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > _DISCARD_LIMIT:
                self.abort()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._waiting_since_s = None
        self._discarded = 0

    def send_400_response(self, msg: str) -> None:
        """In place of the server's plain text."""
        refusal = self._refusal or Refusal(GatewayCode.MALFORMED_HTTP, msg)
        self.transport.write(_whole_response(refusal))
        self.transport.close()

    def begin_work(self, task: asyncio.Task[Any] | None) -> None:
        self._work = task

    def end_work(self) -> None:
        self._work = None

    def abort(self) -> None:
        """Close without another byte."""
        self.transport.abort()

    def end_if_slow(self, now_s: float) -> None:
        """Close if a request has begun, or is to begin, and does not arrive; called regularly."""
        since_s = self._waiting_since_s
        if since_s is not None and now_s - since_s > REQUEST_LIMIT_S:
            self.abort()

    def _count(self, size: int, fields: int) -> None:
        self._head_size += size
        self._head_fields += fields
        if self._head_size > HEAD_LIMIT or self._head_fields > HEAD_FIELDS:
            self._refusal = Refusal(
                GatewayCode.HEAD_TOO_LARGE,
                f"URL and headers have at most {HEAD_LIMIT // 1024} KiB in {HEAD_FIELDS} fields",
            )
            # Ends the parsing: the server answers with send_400_response.
            raise ValueError(self._refusal.detail)


class _Unattached:
    """The connection of a call that did not come over one: tests call the application directly."""

    def begin_work(self, task: asyncio.Task[Any] | None) -> None:
        pass

    def end_work(self) -> None:
        pass

    def abort(self) -> None:
        pass


_UNATTACHED: Final = _Unattached()


def connection_of(scope: Scope) -> Work:
    """The connection that a request came over."""
    connection: Work = scope.get("extensions", {}).get(_EXTENSION, _UNATTACHED)
    return connection


def _whole_response(refusal: Refusal) -> bytes:
    """The answer to a request that could not even be read, as it goes over the wire."""
    answer = problems.answer(refusal, instance="", trace_id=new_trace_id())
    headers, body = answer.written()
    status = HTTPStatus(answer.status)
    lines = [b"HTTP/1.1 %d %s" % (status, status.phrase.encode()), b"connection: close"]
    lines += (name + b": " + value for name, value in headers)
    return b"\r\n".join((*lines, b"", body))
