"""From a request to the operation that answers it: who may, how long, and what else there is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Match
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import openapi
from gateway.backend import READ_LIMIT_S
from gateway.call import Call
from gateway.connection import connection_of
from gateway.operations import Access, Operation
from gateway.parameters import Query
from gateway.preferences import read_deadline, read_waiting
from gateway.problems import GatewayCode, Refusal
from ledger.keys import Scope as KeyScope

_READ: Final = "GET"


class Admits(Protocol):
    """Sets the call's key, or raises ``Refusal``."""

    async def admit(self, call: Call, scopes: frozenset[KeyScope]) -> None: ...


class UndeclaredRoute(Exception):
    """A route that does not say who may call it. Nothing is served until it does."""


class Route(APIRoute):
    """One operation. FastAPI documents and finds it; how it is answered is ours, because the
    framework's own way (dependencies, response models, exit stacks) costs more than the rest."""

    def __init__(self, operation: Operation, keeper: Admits) -> None:
        super().__init__(
            operation.path,
            operation.answer,
            methods=[operation.method],
            response_model=None,
            status_code=next(iter(operation.success)),
            openapi_extra=openapi.described(operation),
        )
        self.operation = operation
        self._keeper = keeper
        self._parameters = frozenset(parameter.name for parameter in operation.query)

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, found = super().matches(scope)
        if match is Match.PARTIAL and self._serves(scope["method"]):
            match = Match.FULL
        return match, found

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(scope, receive, send)
        call.exchange.route = self.operation.path
        if not self._serves(scope["method"]):
            raise _method_not_allowed(scope)
        access = self.operation.access
        if access is not Access.ANYBODY:
            call.waiting = read_waiting(call)
            await self._keeper.admit(call, access)
        call.query = Query(scope["query_string"], self._parameters)
        if self.operation.commands:
            call.deadline = read_deadline(call)
            answer = await self.operation.answer(call)
        elif self.operation.files:
            connection_of(scope).expect_file()
            answer = await self.operation.answer(call)
        else:
            async with asyncio.timeout(READ_LIMIT_S):
                answer = await self.operation.answer(call)
            # Balances are nobody else's, and not true for long.
            answer.headers += ((b"cache-control", b"no-store"),)
        call.exchange.code = answer.code
        await answer.send(send)

    def _serves(self, method: str) -> bool:
        # HEAD is a GET without its body, which the server leaves out by itself.
        return method == self.operation.method or (
            method == "HEAD" and self.operation.method == _READ
        )


class Directory:
    """Finds routes whose path is fixed at once, and leaves the others to the router, which tries
    one after the other."""

    def __init__(self, router: ASGIApp, routes: Iterable[Route]) -> None:
        self._router = router
        self._fixed = {
            (route.operation.method, route.path): route
            for route in routes
            if not route.param_convertors
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        route = self._fixed.get((scope["method"], scope["path"]))
        if route is None:
            await self._router(scope, receive, send)
        else:
            await route.handle(scope, receive, send)


def require_declared(routes: Iterable[BaseRoute]) -> None:
    """Raises ``UndeclaredRoute`` for a route that was added around ``Operation``."""
    for route in routes:
        if isinstance(route, APIRoute) and not isinstance(route, Route):
            raise UndeclaredRoute(f"{route.methods} {route.path} declares no access")


def _method_not_allowed(scope: Scope) -> Refusal:
    allowed = ", ".join(_methods(scope["app"].routes, scope))
    return Refusal(
        GatewayCode.METHOD_NOT_ALLOWED,
        f"this can be done with {allowed}",
        headers=[(b"allow", allowed.encode())],
    )


def _methods(routes: Sequence[BaseRoute], scope: Scope) -> list[str]:
    """All methods of the path: each route knows its own only."""
    found = {
        route.operation.method
        for route in routes
        if isinstance(route, Route) and route.matches(scope)[0] is not Match.NONE
    }
    return sorted(found | {"HEAD"} if _READ in found else found)
