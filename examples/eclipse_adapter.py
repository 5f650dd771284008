"""How a wallet implementation uses a store of value: to be read, copied and changed.

Documents pass through as they are, because their names are Eclipse's own; amounts are decimal
strings in them and ``Decimal`` here, never floats. What takes thought is an answer that never came.
It is settled by repeating the call with the same key, which can move the money only once
(docs/eclipse.md, "Retries"); every call is bounded and says what is known of the money when it
ends (``eclipse_retries``, ``eclipse_errors``).
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import httpx

from examples.eclipse_errors import Json, Refused, Unavailable, Unsettled
from examples.eclipse_retries import (
    NO_ANSWER,
    NOT_SENT,
    Answer,
    Patience,
    Tries,
    Verdict,
    judge,
    no_answer,
    read_answer,
    result_of,
)

_ACCEPTED: Final = 202
_ERRORS_FROM: Final = 400
_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class History:
    entries: list[Json]
    complete_until: str
    """Nothing older than this can still appear: what is later has to be asked for again."""


class StoreOfValue:
    """The calls that Eclipse asks of a tenant's store of value. All raise ``NotDone``.

    ``sent_before``: an earlier call with this key ended ``Unsettled``, or its caller stopped in the
    middle of it. A duplicate that asks for the same is a success then, and an error otherwise.
    """

    def __init__(self, client: httpx.AsyncClient, patience: Patience | None = None) -> None:
        """``client`` has the base URL and the ``Authorization`` header; the caller closes it."""
        self._client = client
        self._patience = patience or Patience()

    async def create_wallet(
        self, *, external_unique_id: str, currency: str, name: str, sent_before: bool = False
    ) -> Json:
        body = {"externalUniqueId": external_unique_id, "currency": currency, "name": name}
        return await self._write("POST", "/v1/wallets", body, sent_before=sent_before)

    async def balance(self, wallet_id: str) -> Json:
        return await self._read(f"/v1/wallets/{wallet_id}/balance")

    async def history(
        self, wallet_id: str, *, date_from_incl: datetime, date_to_excl: datetime
    ) -> History:
        """The movements of a wallet between two dates, oldest first."""
        dates = {
            "dateFromIncl": date_from_incl.isoformat(),
            "dateToExcl": date_to_excl.isoformat(),
        }
        pages = [page async for page in self._pages(f"/v1/wallets/{wallet_id}/transactions", dates)]
        entries = [entry for page in pages for entry in page["items"]]
        return History(entries, complete_until=pages[0]["completeUntil"])

    async def transfer(
        self,
        *,
        from_wallet_id: str,
        to_wallet_id: str,
        amount: Decimal,
        external_unique_id: str,
        description: str,
        session_id: str | None = None,
        sent_before: bool = False,
    ) -> Json:
        """Move the amount, once. All that ``session_id`` holds is given back first."""
        body = {
            "fromWalletId": from_wallet_id,
            "toWalletId": to_wallet_id,
            "amount": f"{amount:f}",
            "externalUniqueId": external_unique_id,
            "description": description,
            "sessionId": session_id,
        }
        return await self._write("POST", "/v1/transfers", body, sent_before=sent_before)

    async def reserve(
        self,
        *,
        wallet_id: str,
        amount: Decimal,
        session_id: str,
        expires: datetime,
        external_unique_id: str,
        description: str,
        sent_before: bool = False,
    ) -> Json:
        """Hold the amount for the session, until ``expires`` at the latest."""
        body = {
            "amount": f"{amount:f}",
            "sessionId": session_id,
            "expires": expires.isoformat(),
            "externalUniqueId": external_unique_id,
            "description": description,
        }
        path = f"/v1/wallets/{wallet_id}/reservations"
        return await self._write("POST", path, body, sent_before=sent_before)

    async def reservations(self, wallet_id: str) -> list[Json]:
        """Those that hold funds now."""
        pages = self._pages(f"/v1/wallets/{wallet_id}/reservations", {})
        return [reservation async for page in pages for reservation in page["items"]]

    async def release(self, wallet_id: str, reservation_id: str) -> None:
        """Give a reservation back. One that holds nothing any more is no error: that is what was
        asked for, and what an attempt whose answer was lost leaves behind."""
        try:
            await self._write("DELETE", f"/v1/wallets/{wallet_id}/reservations/{reservation_id}")
        except Refused as refusal:
            if refusal.problem["code"] != "reservation-not-found":
                raise

    async def _write(
        self, method: str, path: str, body: Json | None = None, *, sent_before: bool = False
    ) -> Json:
        """Repeat the call until it is known what became of it, or its time is up."""
        in_doubt, tries, trace_id = sent_before, self._tries(), _new_trace_id()
        while True:
            answer = await self._attempt(method, path, tries, trace_id, json=body)
            verdict = judge(answer, in_doubt=in_doubt)
            if verdict is Verdict.DONE:
                return result_of(answer)
            if verdict is Verdict.REFUSED:
                raise Refused(answer.body)
            in_doubt = in_doubt or verdict is Verdict.IN_DOUBT
            if verdict is Verdict.UNSETTLED or not await tries.pause(answer.retry_after_s):
                raise (Unsettled if in_doubt else Unavailable)(answer.body)

    async def _read(self, path: str, params: Mapping[str, str] = MappingProxyType({})) -> Json:
        """Repeat the question until there is an answer, or its time is up."""
        tries, trace_id = self._tries(), _new_trace_id()
        while True:
            answer = await self._attempt("GET", path, tries, trace_id, params=params)
            if not answer.is_problem:
                return answer.body
            if not answer.body["retryable"]:
                raise Refused(answer.body)
            if not await tries.pause(answer.retry_after_s):
                raise Unavailable(answer.body)

    async def _pages(self, path: str, filters: Mapping[str, str]) -> AsyncIterator[Json]:
        """All pages of a list. A cursor is good for the filters that it came with."""
        params = {**filters, "limit": str(_PAGE)}
        while True:
            page = await self._read(path, params)
            yield page
            if page["nextCursor"] is None:
                return
            params["cursor"] = page["nextCursor"]

    async def _attempt(
        self, method: str, path: str, tries: Tries, trace_id: str, **content: Any
    ) -> Answer:
        """Send the request once. One trace id for all attempts: without an answer there is no other
        way to find them in the store of value's logs."""
        headers = {
            "Prefer": f"wait={self._patience.wait_s:g}",
            "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
        }
        try:
            response = await self._send(method, path, headers=headers, **content)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
            return no_answer(NOT_SENT, "no connection to the store of value", trace_id)
        except httpx.TransportError as error:
            return no_answer(NO_ANSWER, f"sent, but no answer came: {error!r}", trace_id)
        if response.status_code == _ACCEPTED:
            return await self._follow(response.headers["location"], tries, trace_id)
        return read_answer(response, trace_id)

    async def _follow(self, location: str, tries: Tries, trace_id: str) -> Answer:
        """Ask until the command has its outcome, which is what the call would have answered."""
        polls = Tries(self._patience, tries.until_s)
        while await polls.pause():
            try:
                response = await self._send("GET", location)
            except httpx.TransportError:
                continue
            outcome = read_answer(response, trace_id).body.get("outcome")
            if outcome is not None:
                is_problem = outcome["httpStatus"] >= _ERRORS_FROM
                return Answer(outcome["body"] or {}, is_problem, decided=True)
        return no_answer(NO_ANSWER, "accepted, and still without an outcome", trace_id)

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        patience = self._patience
        limits = httpx.Timeout(patience.wait_s + patience.margin_s, connect=patience.margin_s)
        return await self._client.request(method, path, timeout=limits, **content)

    def _tries(self) -> Tries:
        started_s = asyncio.get_running_loop().time()
        return Tries(self._patience, started_s + self._patience.give_up_after_s)


def _new_trace_id() -> str:
    return secrets.token_hex(16)
