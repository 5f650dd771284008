"""Asking the simulated bank without our client, who might share its mistakes."""

from __future__ import annotations

from typing import Any, Final

import httpx

from tests.integration.simulated_bank import Play

ACCOUNT: Final = "/za/pb/v1/accounts/172878438321553632224"


class Caller:
    """Somebody with a token."""

    def __init__(self, play: Play, token: str = "") -> None:
        self._http = play.http
        self.token = token

    async def ask(self, path: str, **query: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self._http.get(path, params=query or None, headers=headers)

    async def data(self, path: str, **query: str) -> Any:
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def rows(self, **query: str) -> list[Any]:
        found: list[Any] = (await self.data(f"{ACCOUNT}/transactions", **query))["transactions"]
        return found

    async def order(self, path: str, body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self._http.post(path, json=body, headers=headers)

    async def pay(self, *items: dict[str, Any]) -> httpx.Response:
        return await self.order(f"{ACCOUNT}/paymultiple", {"paymentList": list(items)})


async def admitted(play: Play) -> Caller:
    return Caller(play, (await token(play)).json()["access_token"])


async def token(play: Play, **more: Any) -> httpx.Response:
    access = play.access
    known: dict[str, Any] = {
        "auth": (access.client_id, access.client_secret),
        "headers": {"x-api-key": access.api_key},
        "data": {"grant_type": "client_credentials"},
    }
    return await play.http.post("/identity/v2/oauth2/token", **{**known, **more})


def item(beneficiary_id: str, amount: str = "10.12", **more: Any) -> dict[str, Any]:
    words = {"myReference": "PAYOUT-1", "theirReference": "thank you"}
    return {"beneficiaryId": beneficiary_id, "amount": amount, **words, **more}


def responses(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["data"]["TransferResponses"]
    return found
