"""Calling a running system over HTTP, every call recorded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from tests.simulation.history import READS, History, Kind, Operation

#: What the system may take longer than the wait it was told, before its caller gives it up.
_GRACE_S: Final = 10.0
_READ_WAIT_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How a caller waits: ``wait_s`` is what it asks for (None: not at all), ``gives_up_s`` when it
    hangs up."""

    wait_s: float | None = 5.0
    gives_up_s: float = 5.0 + _GRACE_S
    deadline_s: float | None = None

    @classmethod
    def of(cls, wait_s: float) -> Patience:
        return cls(wait_s, wait_s + _GRACE_S)

    def headers(self) -> dict[str, str]:
        if self.wait_s is not None:
            return {"Prefer": f"wait={self.wait_s:g}"}
        headers = {"Prefer": "respond-async"}
        if self.deadline_s is not None:
            at = datetime.now(UTC) + timedelta(seconds=self.deadline_s)
            headers["Sov-Deadline"] = at.isoformat()
        return headers


READING: Final = Patience(None, _READ_WAIT_S + _GRACE_S)


class Caller:
    """Makes calls with one key. Never raises for what the network or the system does."""

    def __init__(self, http: httpx.AsyncClient, history: History, key: str) -> None:
        self._http, self.history = http, history
        self._authorization = {"Authorization": f"Bearer {key}"}

    async def call(
        self,
        client: str,
        kind: Kind,
        *,
        key: str | None,
        request: Mapping[str, Any],
        patience: Patience,
    ) -> Operation:
        """Make the call that ``request`` (as ``history.Operation`` describes it) asks for."""
        method, path, params, body = _http_of(kind, key, request)
        headers = {} if kind in READS else patience.headers()
        operation = self.history.invoke(
            client,
            kind,
            key=key,
            request=request,
            wait_s=patience.wait_s,
            deadline_s=patience.deadline_s,
        )
        try:
            response = await self._http.request(
                method,
                path,
                params=params,
                json=body,
                headers={**self._authorization, **headers},
                timeout=patience.gives_up_s,
            )
            answer = response.json() if response.content else None
        except (httpx.HTTPError, ValueError) as error:
            self.history.broken(operation, error)
        else:
            command_id = response.headers.get("Sov-Command-Id")
            self.history.answered(operation, response.status_code, answer, command_id)
        return operation

    async def ask(self, path: str) -> tuple[int, Mapping[str, Any]]:
        """A question about the run itself, not part of its history; status 0 where none came."""
        try:
            response = await self._http.get(path, headers=self._authorization, timeout=_GRACE_S)
            return response.status_code, response.json()
        except (httpx.HTTPError, ValueError):
            return 0, {}


Request = tuple[str, str, dict[str, Any] | None, dict[str, Any] | None]


def _http_of(kind: Kind, key: str | None, request: Mapping[str, Any]) -> Request:
    """Method, path, query and body."""
    wallet = f"/v1/wallets/{request.get('wallet')}"
    body: dict[str, Any]
    match kind:
        case Kind.TRANSFER:
            return "POST", "/v1/transfers", None, _transfer({**request, "key": key})
        case Kind.REVERSAL:
            amount = request["amount"]
            body = {"externalUniqueId": key}
            if amount is not None:
                body["amount"] = major(amount)
            return "POST", f"/v1/transfers/{request['original']}/reversals", None, body
        case Kind.GROUP:
            members = [_transfer(member) for member in request["members"]]
            body = {"externalUniqueId": key, "transfers": members}
            return "POST", "/v1/transfer-groups", None, body
        case Kind.RESERVE:
            body = {
                "amount": major(request["amount"]),
                "sessionId": request["session"],
                "expires": request["expires"],
                "externalUniqueId": key,
            }
            return "POST", f"{wallet}/reservations", None, body
        case Kind.RELEASE:
            return "DELETE", f"{wallet}/reservations/{request['reservation']}", None, None
        case Kind.RELEASE_SESSION:
            query = {"sessionId": request["session"]}
            return "DELETE", f"{wallet}/reservations", query, None
        case Kind.WALLET:
            body = {"externalUniqueId": key, "currency": "ZAR", "type": request["type"]}
            if request["minimum"]:
                body["minimumBalance"] = major(request["minimum"])
            return "POST", "/v1/wallets", None, body
        case Kind.BALANCE:
            return "GET", f"{wallet}/balance", None, None
        case Kind.ENTRIES:
            query = {"afterSequence": request["after"], "limit": request["limit"]}
            return "GET", f"{wallet}/transactions", query, None
        case Kind.FIND:
            return "GET", "/v1/transfers", {"externalUniqueId": key}, None


def _transfer(request: Mapping[str, Any]) -> dict[str, Any]:
    body = {
        "fromWalletId": request["from"],
        "toWalletId": request["to"],
        "amount": major(request["amount"]),
        "externalUniqueId": request["key"],
    }
    return {**body, "sessionId": request["session"]} if request["session"] else body


def major(amount_minor: int) -> str:
    """An amount as requests carry it: two digits, as all money of a run has."""
    sign = "-" if amount_minor < 0 else ""
    return f"{sign}{abs(amount_minor) // 100}.{abs(amount_minor) % 100:02d}"
