"""Callers that pay while something fails, and whether what they were told is what the books say."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from ledger.database import connect_owner
from tests.databases import Database
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.processes import Broker, consuming
from tests.polling import eventually, until

#: The definite answers to a payment that was not made, and those to one that may have been.
REFUSED = {(503, "unavailable"), (504, "deadline-exceeded")}
#: How long a command's fate may stay open, its own deadline included.
FINAL_WITHIN_S = 60.0


@dataclass
class Payments:
    """Payments of 0.01 from one wallet to another, each under a key of its own.

    ``settled`` is the comparison of every answer with the books: to be called when the fault is
    over, for it waits until what was unknown is final.
    """

    running: Running
    database: Database
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    asked: set[str] = field(default_factory=set)
    """All keys so far."""
    posted_s: list[tuple[float, float]] = field(default_factory=list)
    """When each payment that was answered 201 was begun and answered, on the monotonic clock."""

    @classmethod
    async def between(cls, running: Running, database: Database) -> Payments:
        await running.wallet("payer-01", "1000")
        await running.wallet("payee-01")
        return cls(running, database)

    async def pay(
        self, key: str, *, wait_s: float = 5, prefer: str = "", **more: Any
    ) -> httpx.Response:
        assert key not in self.asked
        self.asked.add(key)
        body = {
            "fromExternalUniqueId": "payer-01",
            "toExternalUniqueId": "payee-01",
            "amount": "0.01",
            "externalUniqueId": key,
            **more,
        }
        begun_s = time.monotonic()
        preference = prefer or f"wait={wait_s}"
        answer = await self.running.post("/v1/transfers", body, Prefer=preference)
        self.answers[key] = answer
        if answer.status_code == 201:
            self.posted_s.append((begun_s, time.monotonic()))
        return answer

    @asynccontextmanager
    async def going_on(self, callers: int = 4, *, wait_s: float = 5) -> AsyncIterator[None]:
        """Traffic for the time of the block, from before its beginning until after its end."""
        stopping = asyncio.Event()

        async def keep_paying() -> None:
            while not stopping.is_set():
                answer = await self.pay(f"payment-{len(self.asked):05}", wait_s=wait_s)
                if answer.status_code != 201:
                    await asyncio.sleep(0.05)  # or a refusing gateway is all that is tested

        posted = len(self.posted_s)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(callers):
                tasks.create_task(keep_paying())
            try:
                await until(lambda: len(self.posted_s) > posted)
                yield
            finally:
                stopping.set()

    async def again(self, within_s: float = 30.0) -> float:
        """Wait until a payment is made that is begun from now on; answers after how many seconds,
        and says so."""
        now_s = time.monotonic()

        def answered_s() -> list[float]:
            return [answered for begun, answered in self.posted_s if begun > now_s]

        took_s = (await until(answered_s, within_s))[0] - now_s
        print(f"paying again after {took_s:.2f} s")
        return took_s

    async def settled(self) -> dict[str, str]:
        """What became of each payment, by key, as its caller was told in the end: ``APPLIED``,
        ``REFUSED`` or ``EXPIRED``; after it was found to be what the books say."""
        assert self.asked == self.answers.keys()
        told = {key: await self._final(answer) for key, answer in self.answers.items()}
        applied = {key: transfer_id for key, (_, transfer_id) in told.items() if transfer_id}
        assert await self._in_books() == applied
        payee = await self.running.get("/v1/wallets", externalUniqueId="payee-01")
        cents = round(float(payee["items"][0]["currentBalance"]) * 100)
        assert cents == len(applied)
        return {key: word for key, (word, _) in told.items()}

    async def _final(self, answer: httpx.Response) -> tuple[str, str]:
        """The last word about a payment, and the transfer's id where it was made."""
        document = answer.json()
        if answer.status_code == 201:
            return "APPLIED", document["transferId"]
        if answer.status_code != 202:
            assert (answer.status_code, document["code"]) in REFUSED, answer.text
            return "REFUSED", ""

        async def ask() -> Any:
            asked = await self.running.http.get(answer.headers["location"])
            found = asked.json() if asked.status_code == 200 else None
            return found if found and found["status"] != "PENDING" else None

        final = await eventually(ask, FINAL_WITHIN_S)
        assert final["status"] in ("APPLIED", "EXPIRED"), final
        return final["status"], final["outcome"]["body"].get("transferId", "")

    async def _in_books(self) -> dict[str, str]:
        owner = await connect_owner(self.database.owner)
        try:
            rows = await owner.fetch(
                "SELECT external_unique_id, transfer_id FROM transfers"
                " WHERE external_unique_id = ANY ($1)",
                list(self.answers),
            )
        finally:
            await owner.close()
        return {row["external_unique_id"]: str(row["transfer_id"]) for row in rows}


@asynccontextmanager
async def paying(
    database: Database,
    broker: Broker,
    *,
    writer: str | None = None,
    reader: str | None = None,
    consumed: bool = True,
) -> AsyncIterator[Payments]:
    """A gateway, and a consumer unless the test has its own, with their ways to the books, which
    may lead through proxies."""
    ways = replace(database, writer=writer or database.writer)
    key_of = await make_keys(database)
    async with AsyncExitStack() as stack:
        if consumed:
            await stack.enter_async_context(consuming(ways, broker))
        way = serving(reader or database.reader, broker.url, key_of)
        yield await Payments.between(await stack.enter_async_context(way), database)
