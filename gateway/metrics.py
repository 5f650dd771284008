"""What the gateway counts, and how it is shown.

Labels are bounded: routes by template, methods and codes from closed lists; never an id or a key.
"""

from __future__ import annotations

import asyncio
import os
from typing import Final

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_TIME_BUCKETS: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
)  # fmt: skip
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PATCH", "DELETE", "PUT", "OPTIONS"})

REQUESTS = Counter(
    "sov_http_requests_total", "Requests answered", ["route", "method", "status", "code"]
)
SECONDS = Histogram(
    "sov_http_request_seconds",
    "From a request's head to the end of its answer",
    ["route", "outcome"],
    buckets=_TIME_BUCKETS,
)
IN_FLIGHT = Gauge(
    "sov_http_requests_in_flight", "Requests being answered", multiprocess_mode="livesum"
)
KEYS_KNOWN = Gauge("sov_api_keys_known", "Keys in memory", multiprocess_mode="livemin")
ABANDONED = Counter("sov_http_abandoned_total", "Callers that left before their answer")


class Observer:
    """Counts answers. Keeps its own way to each series, which is cheaper than looking it up."""

    def __init__(self) -> None:
        self._counters: dict[tuple[str, str, int, str], Counter] = {}
        self._clocks: dict[tuple[str, str], Histogram] = {}

    def observe(self, route: str, method: str, status: int, code: str, elapsed_s: float) -> None:
        series = (route, method, status, code)
        counter = self._counters.get(series)
        if counter is None:
            known = method if method in _METHODS else "other"
            counter = REQUESTS.labels(route or "none", known, str(status), code)
            if known == method:
                self._counters[series] = counter
        counter.inc()
        clock = self._clocks.get((route, code))
        if clock is None:
            clock = SECONDS.labels(route or "none", code or "success")
            self._clocks[route, code] = clock
        clock.observe(elapsed_s)


class Exposition:
    """The metrics as text: of this process, or of all that share ``folder``."""

    content_type: Final = CONTENT_TYPE_LATEST.encode()

    def __init__(self, folder: str | None) -> None:
        self._folder = folder

    async def render(self) -> bytes:
        """In a thread: with many processes this reads many files."""
        return await asyncio.to_thread(self._render)

    def close(self) -> None:
        """Take this process's gauges out of what the others show."""
        if self._folder is not None:
            mark_process_dead(os.getpid(), self._folder)  # type: ignore[no-untyped-call]

    def _render(self) -> bytes:
        if self._folder is None:
            return generate_latest(REGISTRY)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, path=self._folder)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
