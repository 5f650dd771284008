"""The simulated bank on a port of its own, and playing it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from bank.investec.access import Access, Patience
from bank.investec.client import Investec
from bank.simulator import app
from bank.simulator.api import Credentials

_CREDENTIALS = Credentials("client", "secret", "key")


@dataclass
class Play:
    """The bank as other people see it."""

    url: str
    http: httpx.AsyncClient
    account_id: str = app.ACCOUNT_ID

    @property
    def access(self) -> Access:
        known = _CREDENTIALS
        return Access(self.url, known.client_id, known.client_secret, known.api_key)

    async def credit(self, cents: int, description: str, **more: Any) -> list[int]:
        """Numbers of the rows, for ``change``."""
        asked = {"accountId": self.account_id, "amountCents": cents, "description": description}
        found: list[int] = (await self.post("rows", {**asked, **more}))["rowIds"]
        return found

    async def change(self, row_id: int, what: str) -> Any:
        return await self.post(f"rows/{row_id}", {"what": what})

    async def beneficiary(self, name: str, *, paid: date | None = date(2026, 1, 2)) -> str:
        asked = {"name": name, "accountNumber": "62000000001"}
        day = None if paid is None else paid.isoformat()
        made: str = (await self.post("beneficiaries", {**asked, "lastPaid": day}))["beneficiaryId"]
        return made

    async def fault(self, **fault: Any) -> None:
        await self.post("faults", fault)

    async def assume(self, **assumed: Any) -> None:
        answer = await self.http.put("/simulator/assumptions", json=assumed)
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
    server = uvicorn.Server(
        uvicorn.Config(
            app.make(folder / "bank.sqlite", _CREDENTIALS),
            port=0,
            log_config=None,
            lifespan="on",
        )
    )
    serving = asyncio.create_task(server.serve())
    try:
        while not server.started:
            assert not serving.done()
            await asyncio.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        async with httpx.AsyncClient(base_url=url, timeout=10) as http:
            yield Play(url, http)
    finally:
        server.should_exit = True
        await serving


@asynccontextmanager
async def client(play: Play, **patience: float) -> AsyncIterator[Investec]:
    async with Investec.connected(play.access, Patience(**patience)) as connected:
        yield connected
