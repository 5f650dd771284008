"""Asking the bank, with what its answers mean for whoever must not pay twice.

    Unavailable       it did not answer, or not now; nothing was asked for, ask again
    Refused           it said no; nothing was done
    OutcomeUnknown    a payment was sent and no answer understood: done or not, only rows can tell

Reading is asked again until its time is up. A payment is sent again only where the bank has
certainly not looked at it (no connection, a token that had run out, 429), never otherwise: the bank
has no idempotency key.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, TypeVar
from urllib.parse import quote

import httpx
import structlog

from bank.investec import reading
from bank.investec.reading import Unreadable
from bank.investec.records import (
    Account,
    Balance,
    Beneficiary,
    Payment,
    Rows,
    Submitted,
)

SANDBOX: Final = "https://openapisandbox.investec.com"
_PRIVATE: Final = "/za/pb/v1"
_TOKEN: Final = "/identity/v2/oauth2/token"  # noqa: S105  a path

_TIMEOUT: Final = httpx.Timeout(30.0, connect=5.0, pool=5.0)
#: The bank may take its time over a payment; giving up early only makes an outcome unknown.
_PAYMENT_TIMEOUT: Final = httpx.Timeout(60.0, connect=5.0, pool=5.0)
_RENEW_BEFORE_S: Final = 60
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
_SHOWN: Final = 500
_UNAUTHORISED: Final = 401
_TOO_MANY: Final = 429
_SERVER_ERROR: Final = 500

Answer = TypeVar("Answer")

_log = structlog.get_logger(__name__)


class BankError(Exception):
    """Not raised itself; the text says what to do next."""


class Unavailable(BankError):
    """Nothing came of it: ask again later."""


class Refused(BankError):
    """The bank said no, with its own words where it had any."""


class OutcomeUnknown(BankError):
    """The payment may have been made. It must not be sent again before its row was looked for."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where the bank is and who asks."""

    url: str
    client_id: str
    client_secret: str
    api_key: str


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes

    @property
    def is_passing(self) -> bool:
        """Whether another time may be a better one."""
        return self.status == _TOO_MANY or self.status >= _SERVER_ERROR

    @property
    def text(self) -> str:
        """The bank's words: often nothing, sometimes a bare JSON string."""
        return self.body[:_SHOWN].decode(errors="replace").strip().strip('"')

    def accepted(self) -> bytes:
        """The body of an answer that is no refusal. Raises ``Refused``."""
        if not 200 <= self.status < 300:  # noqa: PLR2004
            raise Refused(f"{self.status} {self.text}".rstrip())
        return self.body


class Investec:
    """One client of the bank's; tasks may share it."""

    def __init__(
        self,
        access: Access,
        http: httpx.AsyncClient,
        *,
        patience_s: float = 60.0,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``patience_s`` is how long reading is tried again."""
        self._access, self._http = access, http
        self._patience_s, self._sleep = patience_s, sleep
        self._token = ""
        self._good_until_s = 0.0
        self._renewing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def connected(cls, access: Access, **more: Any) -> AsyncIterator[Investec]:
        """With a connection pool of its own, for the time of the block."""
        async with httpx.AsyncClient(
            base_url=access.url, timeout=_TIMEOUT, follow_redirects=False
        ) as http:
            yield cls(access, http, **more)

    async def accounts(self) -> list[Account]:
        return await self._read(f"{_PRIVATE}/accounts", reading.accounts)

    async def balance(self, account_id: str) -> Balance:
        return await self._read(f"{_account(account_id)}/balance", reading.balance)

    async def transactions(
        self, account_id: str, first: date, last: date, *, include_pending: bool = False
    ) -> Rows:
        """Rows of these days, both included, by posting date; the bank decides what that means for
        rows that are pending."""
        asked = {
            "fromDate": first.isoformat(),
            "toDate": last.isoformat(),
            "includePending": "true" if include_pending else "false",
        }
        return await self._read(
            f"{_account(account_id)}/transactions", reading.transactions, asked
        )

    async def pending(self, account_id: str) -> Rows:
        return await self._read(
            f"{_account(account_id)}/pending-transactions", reading.pending_transactions
        )

    async def beneficiaries(self) -> list[Beneficiary]:
        return await self._read(f"{_PRIVATE}/accounts/beneficiaries", reading.beneficiaries)

    async def pay(self, account_id: str, payment: Payment) -> Submitted:
        """Pay one beneficiary. Raises any ``BankError``.

        One item per call: what happens to the others where one of several is refused is nowhere
        written.
        """
        item = {
            "beneficiaryId": payment.beneficiary_id,
            **_money(payment),
            "fasterPayment": payment.faster,
        }
        return await self._send(f"{_account(account_id)}/paymultiple", {"paymentList": [item]})

    async def transfer(self, account_id: str, payment: Payment) -> Submitted:
        """Pay another of the holder's own accounts. Raises any ``BankError``."""
        item = {"beneficiaryAccountId": payment.beneficiary_id, **_money(payment)}
        return await self._send(f"{_account(account_id)}/transfermultiple", {"transferList": [item]})

    async def _read(
        self,
        path: str,
        understand: Callable[[Any], Answer],
        asked: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask until the bank answers or patience ends. Raises ``Unavailable`` or ``Refused``."""
        until_s = time.monotonic() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                answer = await self._authorised("GET", path, params=asked)
                if not answer.is_passing:
                    return understand(reading.document(answer.accepted()))
                problem = f"the bank answered {answer.status}"
            except (httpx.TransportError, Unreadable) as error:
                problem = f"{type(error).__name__}: {error}"
            if time.monotonic() + pause_s > until_s:
                raise Unavailable(f"{problem}; asked until patience ended, ask again later")
            _log.info("bank.asked_again", path=path, problem=problem)
            await self._sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311  spreads callers
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _send(self, path: str, body: Mapping[str, Any]) -> Submitted:
        """Ask for one payment, and at the most once where the bank may have heard it."""
        until_s = time.monotonic() + self._patience_s
        pause_s = _FIRST_PAUSE_S
        while True:
            try:
                answer = await self._authorised("POST", path, json=body, timeout=_PAYMENT_TIMEOUT)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise Unavailable(f"nothing was sent: {_said(error)}") from error
            except httpx.TransportError as error:
                raise OutcomeUnknown(f"no answer: {_said(error)}") from error
            if answer.status != _TOO_MANY:
                return _understood(answer)
            # "Retry the request": it was counted, not looked at.
            if time.monotonic() + pause_s > until_s:
                raise Unavailable("the bank has too much to do; nothing was taken in")
            await self._sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)

    async def _authorised(self, method: str, path: str, **more: Any) -> _Answer:
        """Under a token that is good; one that the bank calls bad is renewed once."""
        token = await self._current_token()
        answer = await self._call(method, path, token, **more)
        if answer.status != _UNAUTHORISED:
            return answer
        async with self._renewing:
            if self._token == token:
                self._good_until_s = 0.0
        return await self._call(method, path, await self._current_token(), **more)

    async def _call(self, method: str, path: str, token: str, **more: Any) -> _Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        async with self._http.stream(method, path, headers=headers, **more) as answer:
            return _Answer(answer.status_code, await _body(answer))

    async def _current_token(self) -> str:
        async with self._renewing:
            if time.monotonic() >= self._good_until_s:
                self._token, good_for_s = await self._new_token()
                self._good_until_s = time.monotonic() + max(0, good_for_s - _RENEW_BEFORE_S)
            return self._token

    async def _new_token(self) -> tuple[str, int]:
        """Raises ``Unavailable`` or ``Refused``: no payment was asked for under it yet."""
        access = self._access
        try:
            async with self._http.stream(
                "POST",
                _TOKEN,
                auth=(access.client_id, access.client_secret),
                headers={"x-api-key": access.api_key},
                data={"grant_type": "client_credentials"},
            ) as response:
                answer = _Answer(response.status_code, await _body(response))
            if answer.is_passing:
                raise Unavailable(f"the bank gave no token ({answer.status}): ask again later")
            return reading.token(reading.document(answer.accepted()))
        except (httpx.TransportError, Unreadable) as error:
            raise Unavailable(f"the bank gave no token: {_said(error)}") from error


def _understood(answer: _Answer) -> Submitted:
    """What a payment came to. Raises ``Refused`` or ``OutcomeUnknown``."""
    if answer.status >= _SERVER_ERROR:
        raise OutcomeUnknown(f"the bank answered {answer.status} {answer.text}".rstrip())
    body = answer.accepted()
    try:
        read = reading.document(body)
        said = reading.refusal(read)
        if said is not None:
            raise Refused(said)
        return reading.submitted(read)
    except Unreadable as error:
        raise OutcomeUnknown(f"the bank's answer cannot be read: {error}") from error


async def _body(answer: httpx.Response) -> bytes:
    """Whole, up to a size that no statement has."""
    parts: list[bytes] = []
    size = 0
    async for part in answer.aiter_bytes():
        size += len(part)
        if size > _LARGEST_ANSWER:
            raise httpx.ReadError("the answer is too large")
        parts.append(part)
    return b"".join(parts)


def _said(error: Exception) -> str:
    return f"{type(error).__name__} {error}".rstrip()


def _account(account_id: str) -> str:
    return f"{_PRIVATE}/accounts/{quote(account_id, safe='')}"


def _money(payment: Payment) -> dict[str, str]:
    return {
        "amount": format(payment.amount, "f"),
        "myReference": payment.my_reference,
        "theirReference": payment.their_reference,
    }
