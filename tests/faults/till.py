"""A till that pays while something fails, and afterwards holds every answer against the books."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import httpx

from tests.polling import eventually

SHOP: Final = "shop-0001"
#: How long after a fault a command may take to its final word: deadline and reconnects together.
FINAL_WITHIN_S: Final = 45.0
_WORDS: Final = {504: "EXPIRED", 422: "REJECTED", 409: "REJECTED"}


@dataclass(frozen=True)
class Told:
    """What the caller of a payment was told; None where the connection was lost instead."""

    key: str
    answer: httpx.Response | None


@dataclass
class Till:
    """Pays 1.00 at a time from its payers to the shop, each payment under a key of its own."""

    http: httpx.AsyncClient
    payers: list[str]
    told: list[Told] = field(default_factory=list)

    @classmethod
    async def opened(cls, http: httpx.AsyncClient, payers: Iterable[str]) -> Till:
        """With 1000.00 in each payer's wallet."""
        till = cls(http, list(payers))
        await till._open("system-zar", type="SYSTEM")
        await till._open(SHOP)
        for payer in till.payers:
            await till._open(payer)
            await till.fund(payer, "1000")
        return till

    async def fund(self, payer: str, amount: str) -> None:
        body = _payment("system-zar", payer, f"fund {payer} {amount}", amount)
        funded = await self.http.post("/v1/transfers", json=body)
        assert funded.status_code == 201, funded.text

    async def pay(
        self,
        key: str,
        *,
        payer: int = 0,
        wait_s: float | None = 5.0,
        amount: str = "1",
        http: httpx.AsyncClient | None = None,
    ) -> httpx.Response:
        """One payment; ``wait_s`` None does not wait (``respond-async``). Remembers the answer, and
        its absence; raises ``httpx.TransportError`` for the latter."""
        prefer = "respond-async" if wait_s is None else f"wait={wait_s}"
        body = _payment(self.payers[payer], SHOP, key, amount)
        answer = None
        try:
            answer = await (http or self.http).post(
                "/v1/transfers", json=body, headers={"Prefer": prefer}
            )
        finally:
            self.told.append(Told(key, answer))
        return answer

    @asynccontextmanager
    async def busy(self, callers: int = 4, wait_s: float = 3.0) -> AsyncIterator[None]:
        """Traffic for the time of the block, from all payers."""
        stopping = asyncio.Event()

        async def keep_paying(caller: int) -> None:
            number = 0
            while not stopping.is_set():
                number += 1
                key = f"busy-{caller}-{number:05}"
                with suppress(httpx.TransportError):  # the gateway has gone: nobody knows
                    await self.pay(key, payer=caller % len(self.payers), wait_s=wait_s)
                await asyncio.sleep(0.05)

        async with asyncio.TaskGroup() as tasks:
            for caller in range(callers):
                tasks.create_task(keep_paying(caller))
            try:
                yield
            finally:
                stopping.set()

    async def paying_again(self, within_s: float) -> float:
        """Wait until each payer's payment is posted again; answers how many seconds that took."""
        begun_s = asyncio.get_running_loop().time()
        for payer in range(len(self.payers)):

            async def posted(payer: int = payer) -> bool:
                try:
                    answer = await self.pay(f"again-{len(self.told):05}", payer=payer, wait_s=2)
                except httpx.TransportError:
                    return False
                return answer.status_code == 201

            await eventually(posted, within_s)
        return asyncio.get_running_loop().time() - begun_s

    async def reconcile(self) -> Counter[str]:
        """Wait for the last word about each payment, and require that the books say the same.

        Answers how many ended as ``APPLIED``, ``REJECTED``, ``EXPIRED``, ``REFUSED`` (503, never
        accepted), ``DUPLICATE`` (of an applied one) and ``UNKNOWN`` (no answer at all).
        """
        words = [(told.key, await self._last_word(told)) for told in self.told]
        moved = await self.in_books()
        by_key: defaultdict[str, set[str]] = defaultdict(set)
        for key, word in words:
            by_key[key].add(word)
        for key, said in by_key.items():
            if said & {"APPLIED", "DUPLICATE"}:
                assert key in moved, f"{key}: {said}, but no money moved"
            elif "UNKNOWN" not in said:
                assert key not in moved, f"{key}: {said}, but money moved"
        assert set(moved) <= set(by_key)
        return Counter(word for _, word in words)

    async def in_books(self) -> dict[str, str]:
        """Every payment the shop received: its key and transfer id, in the order of its history."""
        shop = (await self._get("/v1/wallets", externalUniqueId=SHOP))["items"][0]
        items: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self._get(
                f"/v1/wallets/{shop['walletId']}/transactions", limit=1000, **cursor
            )
            items += page["items"]
            if page["nextCursor"] is None:
                break
            cursor = {"cursor": page["nextCursor"]}
        found = {item["externalUniqueId"]: item["transferId"] for item in items}
        assert len(found) == len(items), "a key moved money twice"
        shop = await self._get(f"/v1/wallets/{shop['walletId']}")
        assert Decimal(shop["currentBalance"]) == sum(Decimal(item["amount"]) for item in items)
        return found

    async def final(self, location: str) -> Any:
        """The final status of a command."""

        async def ask() -> Any:
            try:
                status = await self._get(location)
            except (httpx.TransportError, AssertionError):
                return None  # not back yet
            return status if status["status"] != "PENDING" else None

        return await eventually(ask, FINAL_WITHIN_S)

    async def _last_word(self, told: Told) -> str:
        answer = told.answer
        if answer is None:
            return "UNKNOWN"
        document = answer.json()
        if answer.status_code == 503:
            assert document["code"] == "unavailable", document
            assert int(answer.headers["retry-after"]) >= 1
            return "REFUSED"
        status = await self.final(f"/v1/commands/{answer.headers['sov-command-id']}")
        if answer.status_code != 202:
            assert _same(status["outcome"]["body"], document), (status, document)
            assert status["outcome"]["httpStatus"] == answer.status_code
        word = str(status["status"])
        assert answer.status_code in (201, 202, *_WORDS), answer.text
        assert answer.status_code == 202 or word == _WORDS.get(answer.status_code, "APPLIED")
        if word == "REJECTED" and status["outcome"]["body"]["code"] == "duplicate-transfer":
            return "DUPLICATE"
        return word

    async def _open(self, name: str, **more: str) -> None:
        body = {"externalUniqueId": name, "currency": "ZAR", **more}
        opened = await self.http.post("/v1/wallets", json=body)
        assert opened.status_code in (201, 409), opened.text

    async def _get(self, path: str, **query: Any) -> Any:
        answer = await self.http.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()


def _payment(source: str, target: str, key: str, amount: str) -> dict[str, str]:
    return {
        "fromExternalUniqueId": source,
        "toExternalUniqueId": target,
        "amount": amount,
        "externalUniqueId": key,
    }


def _same(one: Any, other: Any) -> bool:
    """Whether two documents say the same; a trace belongs to the call, not to the outcome."""
    if not isinstance(one, dict) or not isinstance(other, dict):
        return bool(one == other)
    return {k: v for k, v in one.items() if k != "traceId"} == {
        k: v for k, v in other.items() if k != "traceId"
    }
