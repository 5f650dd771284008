"""One HTTP request and its answer, as the routes see them."""

from __future__ import annotations

import re
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.requests import Request
from starlette.types import Scope, Send

from ledger.keys import ApiKey
from topology.documents import Document

if TYPE_CHECKING:
    from gateway.parameters import Query

JSON: Final = b"application/json"
PROBLEM: Final = b"application/problem+json"

_EXCHANGE: Final = "sov.exchange"
# https://www.w3.org/TR/trace-context/: version ff is not valid, later ones may append fields.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)"
)

_encode = msgspec.json.Encoder().encode


class Exchange:
    """What is known of a request from its first line to its last byte."""

    __slots__ = ("code", "queue_s", "route", "started_s", "status", "trace_id")

    def __init__(self, trace_id: str) -> None:
        self.trace_id = trace_id
        self.started_s = time.perf_counter()
        self.route = ""
        """The template that matched, such as ``/v1/wallets/{walletId}``; empty before."""
        self.status = 0
        """0 until the answer has begun."""
        self.code = ""
        """The problem's code; empty for successes."""
        self.queue_s: float | None = None
        """From handing a command over to the decision on it, where there was one."""

    @property
    def elapsed_s(self) -> float:
        return time.perf_counter() - self.started_s

    def server_timing(self) -> bytes:
        """https://www.w3.org/TR/server-timing/, durations in milliseconds."""
        if self.queue_s is None:
            return b"total;dur=%.2f" % (self.elapsed_s * 1000)
        return b"queue;dur=%.2f, total;dur=%.2f" % (self.queue_s * 1000, self.elapsed_s * 1000)


def begin(scope: Scope) -> Exchange:
    """The exchange of a request that has just arrived; it continues the caller's trace."""
    trace_id = None
    for name, value in scope["headers"]:
        if name == b"traceparent":
            found = _TRACEPARENT.match(value)
            trace_id = found[1].decode() if found else None
    exchange = scope[_EXCHANGE] = Exchange(trace_id or new_trace_id())
    return exchange


def new_trace_id() -> str:
    return secrets.token_hex(16)


class Call(Request):
    """A request to one of our routes. A ``Request``, so that FastAPI hands it over untouched."""

    key: ApiKey
    """Who asks; set before the route's own code runs, absent on routes that anybody may call."""
    query: Query
    """The parameters that the route knows; set before the route's own code runs."""
    _fields: dict[bytes, bytes] | None = None

    @property
    def exchange(self) -> Exchange:
        exchange: Exchange = self.scope[_EXCHANGE]
        return exchange

    def field(self, name: bytes) -> bytes | None:
        """A header's value by its lower-case name; of several with one name, their list."""
        if self._fields is None:
            self._fields = _fields(self.scope["headers"])
        return self._fields.get(name)

    def segment(self, name: str) -> str:
        """The part of the path that the route's template calls ``name``."""
        value: str = self.scope["path_params"][name]
        return value


def _fields(headers: list[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    fields = dict(headers)
    if len(fields) != len(headers):
        fields = {}
        for name, value in headers:
            fields[name] = fields[name] + b", " + value if name in fields else value
    return fields


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
