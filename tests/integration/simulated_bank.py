"""The simulated bank on a port of its own, and playing it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx

from bank.investec.access import Access, Patience
from bank.investec.client import Investec
from bank.simulator import app
from bank.simulator.books import ACCOUNT_ID
from bank.simulator.guard import Credentials

_CREDENTIALS = Credentials("client", "secret", "key")


@dataclass
class Play:
    """The bank as other people see it."""

    url: str
    http: httpx.AsyncClient
    account_id: str = ACCOUNT_ID

    @property
    def access(self) -> Access:
        known = _CREDENTIALS
        return Access(self.url, known.client_id, known.client_secret, known.api_key)

    async def credit(self, cents: int, description: str, **more: Any) -> list[int]:
        """Numbers of the rows, for ``change``."""
        asked = {"accountId": self.account_id, "amountCents": cents, "description": description}
        found: list[int] = (await self.post("rows", {**asked, **more}))["rowIds"]
        return found

    async def change(self, row_id: int, what: str, **more: Any) -> Any:
        """post, settle, renumber, vanish, reverse, or rewrite with what is new in it."""
        return await self.post(f"rows/{row_id}", {"what": what, **more})

    async def beneficiary(
        self, name: str, *, paid: date | None = date(2026, 1, 2), **more: Any
    ) -> str:
        """Its id."""
        asked = {"name": name, "accountNumber": "62000000001", **more}
        day = None if paid is None else paid.isoformat()
        made: str = (await self.post("beneficiaries", {**asked, "lastPaid": day}))["beneficiaryId"]
        return made

    async def decide(self, payment_reference: str, what: str) -> Any:
        """approve, decline, fail or return."""
        return await self.post(f"payments/{payment_reference}", {"what": what})

    async def payments(self) -> list[Any]:
        found: list[Any] = (await self.state())["payments"]
        return found

    async def fault(self, **fault: Any) -> None:
        await self.post("faults", fault)

    async def assume(self, **assumed: Any) -> None:
        """These; all others stay."""
        answer = await self.http.patch("/simulator/assumptions", json=assumed)
        assert answer.status_code == 200, answer.text

    async def advance(self, seconds: float) -> None:
        await self.post("clock", {"advanceS": seconds})

    async def state(self) -> Any:
        return (await self.http.get("/simulator/state")).json()

    async def post(self, what: str, body: Any) -> Any:
        answer = await self.http.post(f"/simulator/{what}", json=body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@asynccontextmanager
async def simulated(folder: Path) -> AsyncIterator[Play]:
    """For the time of the block; its books stay in the folder."""
    opened = socket.create_server(("127.0.0.1", 0))
    server = app.serve(folder / "bank.sqlite", _CREDENTIALS)
    serving = asyncio.create_task(server.serve(sockets=[opened]))
    try:
        url = f"http://127.0.0.1:{opened.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, timeout=10) as http:
            yield Play(url, http)
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def client(play: Play, **patience: float) -> AsyncIterator[Investec]:
    async with Investec.connected(play.access, Patience(**patience)) as connected:
        yield connected
