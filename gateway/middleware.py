"""The one layer between the server and the routes, instead of the framework's five.

Whatever happens inside, here it becomes exactly one answer: problems are written, defects are
logged once, every answer says how long it took and is counted.
"""

from __future__ import annotations

import asyncio
from typing import Final

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gateway import problems
from gateway.connection import connection_of
from gateway.exchange import Exchange, begin
from gateway.metrics import ABANDONED, Observer
from gateway.problems import unavailable
from ledger.rejections import Code

#: More at once would only wait for each other, each with up to a body in memory.
MOST_IN_FLIGHT: Final = 4096
#: An overloaded gateway is alive, and has to be able to say so.
_ALWAYS_SERVED: Final = frozenset({"/healthz", "/readyz", "/metrics"})

_log = structlog.get_logger(__name__)


class Boundary:
    """An ASGI application around the router."""

    def __init__(self, router: ASGIApp) -> None:
        self._router = router
        self._observer = Observer()
        self.in_flight = 0
        """Calls whose answer has not begun."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = begin(scope)

        async def send_timed(message: Message) -> None:
            if message["type"] == "http.response.start":
                exchange.status = message["status"]
                # The work is done: a caller that is slow to take its answer keeps nobody out.
                self.in_flight -= 1
                message["headers"] = [
                    *message["headers"],
                    (b"server-timing", exchange.server_timing()),
                ]
            await send(message)

        connection = connection_of(scope)
        connection.begin_work(asyncio.current_task())
        self.in_flight += 1
        try:
            await self._answer(scope, receive, send_timed, exchange)
        except asyncio.CancelledError:
            # The caller has left, or the time to drain is over and nothing true can be said.
            ABANDONED.inc()
            connection.abort()
        finally:
            connection.end_work()
            if not exchange.status:
                self.in_flight -= 1
            # In the coming turn of the loop: at this one's end the answer goes to its socket.
            asyncio.get_running_loop().call_soon(
                self._observer.observe,
                exchange.route,
                scope["method"],
                exchange.status,
                exchange.code,
                exchange.elapsed_s,
            )

    async def _answer(self, scope: Scope, receive: Receive, send: Send, exchange: Exchange) -> None:
        try:
            if self.in_flight > MOST_IN_FLIGHT and scope["path"] not in _ALWAYS_SERVED:
                raise unavailable("too many calls at once")
            await self._router(scope, receive, send)
        except ClientDisconnect:
            ABANDONED.inc()
        except Exception as error:
            if exchange.status:
                # Too late for a problem: the caller sees the connection end instead.
                _log.exception("request.failed_while_answering", trace_id=exchange.trace_id)
                connection_of(scope).abort()
                return
            await _refuse(scope, send, exchange, error)


async def _refuse(scope: Scope, send: Send, exchange: Exchange, error: Exception) -> None:
    refusal = problems.refusal_of(error)
    if refusal.code is Code.INTERNAL:
        _log.error(
            "request.failed", trace_id=exchange.trace_id, route=exchange.route, exc_info=error
        )
    answer = problems.answer(
        refusal,
        instance=scope["raw_path"].decode("ascii", "replace"),
        trace_id=exchange.trace_id,
    )
    exchange.code = answer.code
    await answer.send(send)
