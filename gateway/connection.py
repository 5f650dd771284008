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
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from gateway import problems
from gateway.exchange import Exchange, new_trace_id
from gateway.metrics import Observer
from gateway.problems import GatewayCode, Refusal

#: Keys, traces and preferences need a kilobyte or two.
HEAD_LIMIT: Final = 32 * 1024
HEAD_FIELDS: Final = 100
#: A request that has not arrived whole by then is not going to.
REQUEST_LIMIT_S: Final = 15.0
#: A file may take any time, but has to bring this much within each such limit: a byte now and then
#: would hold its connection for ever.
FILE_PACE: Final = 16 * 1024
#: An answer that its caller has not taken by then is not going to be taken.
ANSWER_LIMIT_S: Final = 15.0
#: Twice the calls that are served at once: the others hold a request and an answer in memory each.
MOST_CONNECTIONS: Final = 8192
#: Requests on one connection behind the one that is being answered; they are all in memory.
MOST_PIPELINED: Final = 64
#: After a refusal the rest of the body is read and thrown away, so that the caller sees the answer;
#: a caller that does not stop is cut off.
_DISCARD_LIMIT: Final = 64 * 1024 * 1024

_EXTENSION: Final = "sov.connection"

_observer: Final = Observer()


class Work(Protocol):
    """What the middleware tells the connection about."""

    def begin_work(self, task: asyncio.Task[Any] | None) -> None: ...

    def end_work(self) -> None: ...

    def abort(self) -> None: ...

    def expect_file(self) -> None:
        """The request's body may take any time, as long as it goes on arriving at a pace."""


class Connection(HttpToolsProtocol):
    """The server's HTTP/1.1 protocol with our limits."""

    _work: asyncio.Task[Any] | None = None
    _waiting_since_s: float | None = None
    _stuck_since_s: float | None = None
    _refusal: Refusal | None = None
    _expects_file = False
    _head_size = _head_fields = _untold = _discarded = _brought = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting_since_s = time.monotonic()
        if len(self.connections) > MOST_CONNECTIONS:
            self.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._work is not None:
            # Nobody hears the answer: what was not sent yet must not be.
            self._work.cancel()

    def data_received(self, data: bytes) -> None:
        if self._waiting_since_s is None and (self.cycle is None or self.cycle.response_complete):
            self._waiting_since_s = time.monotonic()
        self._untold += len(data)
        super().data_received(data)
        # The parser keeps a field until it is whole, and says nothing of it before.
        if self._untold > HEAD_LIMIT and not self.transport.is_closing():
            self._refusal = _head_too_large()
            self.send_400_response(self._refusal.detail)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stuck_since_s = time.monotonic()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stuck_since_s = None

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if len(self.pipeline) >= MOST_PIPELINED:
            raise ValueError("too many requests wait on this connection")
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
        self._untold = 0
        self._brought += len(body)
        if self._expects_file and self._brought >= FILE_PACE:
            self._waiting_since_s, self._brought = time.monotonic(), 0
        if self.cycle is not None and self.cycle.response_complete:
            self._discarded += len(body)
            if self._discarded > _DISCARD_LIMIT:
                self.abort()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._waiting_since_s = None
        self._expects_file = False
        self._untold = self._discarded = self._brought = 0

    def send_400_response(self, msg: str) -> None:
        """In place of the server's plain text."""
        if self.pipeline or _is_pending(self.cycle):
            # It would be taken for the answer to the request before, which may be carried out.
            self.abort()
            return
        refusal = self._refusal or Refusal(GatewayCode.MALFORMED_HTTP, msg)
        self.transport.write(_whole_response(refusal))
        self.transport.close()

    def begin_work(self, task: asyncio.Task[Any] | None) -> None:
        self._work = task

    def end_work(self) -> None:
        self._work = None

    def expect_file(self) -> None:
        # A short one has arrived already.
        self._expects_file = self._waiting_since_s is not None

    def abort(self) -> None:
        """Close without another byte."""
        self.transport.abort()

    def end_if_slow(self, now_s: float) -> None:
        """Close if a request has begun, or is to begin, and does not arrive, or if an answer is not
        taken; called regularly."""
        if self._expects_file and self.flow.read_paused:
            self._waiting_since_s = now_s  # it is we who do not take it at the moment
        if self._stuck_since_s is None and self.transport.is_closing():
            # It waits for the last bytes to be taken, however few, and is paused by them no more.
            self._stuck_since_s = now_s
        if _is_over(self._waiting_since_s, REQUEST_LIMIT_S, now_s) or _is_over(
            self._stuck_since_s, ANSWER_LIMIT_S, now_s
        ):
            self.abort()

    def _count(self, size: int, fields: int) -> None:
        self._head_size += size
        self._head_fields += fields
        if self._head_size > HEAD_LIMIT or self._head_fields > HEAD_FIELDS:
            self._refusal = _head_too_large()
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

    def expect_file(self) -> None:
        pass


_UNATTACHED: Final = _Unattached()


def connection_of(scope: Scope) -> Work:
    """The connection that a request came over."""
    connection: Work = scope.get("extensions", {}).get(_EXTENSION, _UNATTACHED)
    return connection


def _head_too_large() -> Refusal:
    return Refusal(
        GatewayCode.HEAD_TOO_LARGE,
        f"URL and headers have at most {HEAD_LIMIT // 1024} KiB in {HEAD_FIELDS} fields",
    )


def _is_pending(cycle: RequestResponseCycle | None) -> bool:
    """Whether its request has arrived whole, or its answer has begun, and it is not answered."""
    if cycle is None or cycle.response_complete:
        return False
    return cycle.response_started or not cycle.more_body


def _is_over(since_s: float | None, limit_s: float, now_s: float) -> bool:
    return since_s is not None and now_s - since_s > limit_s


def _whole_response(refusal: Refusal) -> bytes:
    """The answer to a request that could not even be read, as it goes over the wire; counted."""
    exchange = Exchange(new_trace_id())
    answer = problems.answer(refusal, instance="", trace_id=exchange.trace_id)
    headers, body = answer.written()
    status = HTTPStatus(answer.status)
    _observer.observe("", "", answer.status, answer.code, exchange.elapsed_s)
    lines = [
        b"HTTP/1.1 %d %s" % (status, status.phrase.encode()),
        b"connection: close",
        b"server-timing: " + exchange.server_timing(),
    ]
    lines += (name + b": " + value for name, value in headers)
    return b"\r\n".join((*lines, b"", body))
