"""What is known of one request and its answer, from the first line to the last byte."""

from __future__ import annotations

import random
import re
import time
from typing import Final

from starlette.types import Scope

_EXCHANGE: Final = "sov.exchange"
# https://www.w3.org/TR/trace-context/: version ff is not valid, later ones may append fields.
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)"
)


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


def exchange_of(scope: Scope) -> Exchange:
    """The exchange that ``begin`` made."""
    exchange: Exchange = scope[_EXCHANGE]
    return exchange


def new_trace_id() -> str:
    return random.randbytes(16).hex()  # noqa: S311  a name, not a secret
