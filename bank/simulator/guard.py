"""The way in to every call: faults, limits, tokens, scopes, and the manner of refusing."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from bank.simulator import wire
from bank.simulator.books import Books, NoSuch
from bank.simulator.faults import Fault, Faults, Route
from bank.simulator.payments import Payments
from bank.simulator.rows import Rows

#: In a request's scope: ends its connection without another word.
CUT: Final = "simulator.cut"

_MINUTE_S: Final = 60
_ERRORS: Final = {
    "empty": b"",
    "json": b'{"message": "The request was not carried out."}',
    "html": b"<html><body>Something went wrong</body></html>",
}

Reply = Callable[["Bank", Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Credentials:
    client_id: str
    client_secret: str = field(repr=False)
    api_key: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Token:
    until_s: float
    """By the bank's clock."""
    scopes: frozenset[str]


@dataclass(slots=True)
class Bank:
    """Everything that a call may need. Tokens and faults end with the process."""

    books: Books
    rows: Rows
    payments: Payments
    credentials: Credentials
    faults: Faults = field(default_factory=Faults)
    tokens: dict[str, Token] = field(default_factory=dict)
    called: list[float] = field(default_factory=list)
    """The calls of the last minute."""

    def catch_up(self) -> None:
        """With the clock; a change like any other."""
        self.rows.settle_due()
        self.payments.lapse_due()


class BadRequest(Exception):
    """Answered 400, with these words as a bare JSON string."""


def guarded(bank: Bank, route: Route, scopes: frozenset[str], reply: Reply) -> Callable[..., Any]:
    """With everything around it that may keep a call from its answer. Any one of the scopes will
    do; none means that no token is needed."""

    async def answer(request: Request) -> Response:
        fault = bank.faults.next(route, after=False)
        if fault is not None and (failed := await _failed(bank, request, fault)) is not None:
            return failed
        if _too_many(bank):
            return _error(bank, 429)
        if scopes:
            token = _token(bank, request)
            if token is None:
                return Response(status_code=401)
            if not scopes & token.scopes:
                return _error(bank, 403)
        done = await _answered(bank, request, reply)
        fault = bank.faults.next(route, after=True)
        failed = None if fault is None else await _failed(bank, request, fault)
        return done if failed is None else failed

    return answer


def enveloped(bank: Bank, request: Request, data: object, pages: int = 1) -> Response:
    url = str(request.url) if bank.books.assumptions.self_link == "url" else None
    return JSONResponse(wire.envelope(data, url, pages))


async def _answered(bank: Bank, request: Request, reply: Reply) -> Response:
    with bank.books.changing():
        bank.catch_up()
    try:
        return await reply(bank, request)
    except BadRequest as error:
        return JSONResponse(str(error), 400)
    except NoSuch:
        return JSONResponse("The specified account is invalid. (Parameter 'accountId')", 400)


async def _failed(bank: Bank, request: Request, fault: Fault) -> Response | None:
    """None: it was only late."""
    await asyncio.sleep(fault.seconds)
    if fault.what == "status":
        after_s = fault.retry_after_s
        headers = None if after_s is None else {"Retry-After": str(after_s)}
        return _error(bank, fault.status, headers)
    if fault.what == "garbage":
        return Response("<html>", media_type="text/html")
    if fault.what == "cut":
        request.scope[CUT]()
        return Response()  # nobody is there any more to hear it
    return None


def _error(bank: Bank, status: int, headers: Mapping[str, str] | None = None) -> Response:
    return Response(_ERRORS[bank.books.assumptions.error_body], status, headers)


def _too_many(bank: Bank) -> bool:
    most = bank.books.assumptions.most_requests_a_minute
    now_s = time.monotonic()
    bank.called = [at_s for at_s in bank.called if now_s - at_s < _MINUTE_S]
    if most and len(bank.called) >= most:
        return True
    bank.called.append(now_s)
    return False


def _token(bank: Bank, request: Request) -> Token | None:
    scheme, _, name = request.headers.get("authorization", "").partition(" ")
    known = bank.tokens.get(name)
    if scheme.lower() != "bearer" or known is None or bank.books.now_s() >= known.until_s:
        return None
    return known
