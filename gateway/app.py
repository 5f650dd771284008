"""The application: every operation of every noun, found by FastAPI, answered by us."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from gateway import openapi
from gateway.backend import Backend
from gateway.bank_exceptions import BankExceptions
from gateway.bank_hints import BankHints
from gateway.bank_statements import BankStatements
from gateway.batches import Batches
from gateway.commands import CommandStates
from gateway.dead_letters import DeadLetters
from gateway.deposits import Deposits
from gateway.health import Health
from gateway.history import History
from gateway.middleware import Boundary
from gateway.operations import Operation
from gateway.payout_exports import PayoutExports
from gateway.payout_words import PayoutWords
from gateway.payouts import Payouts
from gateway.reconciliations import Reconciliations
from gateway.reservations import Reservations
from gateway.routing import Admits, Directory, Route, require_declared
from gateway.suspense import Suspense
from gateway.transfer_groups import TransferGroups
from gateway.transfers import Transfers
from gateway.wallets import Wallets
from gateway.writing import Writes

_TITLE: Final = "Store of Value"
#: Of the interface, not of the program: it changes with the base path.
_VERSION: Final = "1"


class Application(FastAPI):
    """Operations behind one boundary. Raises ``UndeclaredRoute`` where a route says not who may
    call it, before anything is served."""

    def __init__(
        self, operations: Sequence[Operation], keeper: Admits, *, documented: bool
    ) -> None:
        super().__init__(
            title=_TITLE,
            version=_VERSION,
            description=openapi.DESCRIPTION,
            openapi_url="/openapi.json" if documented else None,
            redoc_url=None,
            redirect_slashes=False,
        )
        self._operations = operations
        routes = [Route(operation, keeper) for operation in operations]
        self.router.routes += routes
        self.boundary = Boundary(Directory(self.router, routes))
        require_declared(self.routes)
        # Built at once, so that a mistake in it stops the start and not a caller.
        self.openapi()

    def build_middleware_stack(self) -> ASGIApp:
        return self.boundary

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # The framework would look into the environment on every call, for telemetry we do not use.
        scope["app"] = self
        await self.boundary(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        if not self.openapi_schema:
            self.openapi_schema = openapi.completed(super().openapi(), self._operations)
        return self.openapi_schema


def public(backend: Backend, health: Health, keeper: Admits) -> Application:
    """What callers see."""
    return Application(operations(backend, health), keeper, documented=True)


def operations(backend: Backend, health: Health) -> list[Operation]:
    """All of them, the frequent ones first: routes are tried in this order."""
    writes = Writes(backend)
    return [
        *Transfers(backend, writes).operations(),
        *History(backend).operations(),
        *Reservations(backend, writes).operations(),
        *Wallets(backend, writes).operations(),
        *CommandStates(backend).operations(),
        *TransferGroups(backend, writes).operations(),
        *Batches(backend).operations(),
        *DeadLetters(backend, writes).operations(),
        *PayoutExports(backend).operations(),
        *Deposits(backend).operations(),
        *BankStatements(backend).operations(),
        *Suspense(backend).operations(),
        *BankExceptions(backend).operations(),
        *BankHints(backend).operations(),
        *Payouts(backend).operations(),
        *PayoutWords(backend).operations(),
        *Reconciliations(backend).operations(),
        *health.operations(),
    ]
