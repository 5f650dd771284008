"""One call of the bank's, under a token that is good, answered whole or not at all."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import httpx
import structlog

from bank.investec import reading
from bank.investec.access import Access, Patience
from bank.investec.errors import NotAdmitted, NoToken, Refused, Unavailable
from bank.investec.fields import Unreadable, document
from topology.texts import clean

_TOKEN: Final = "/identity/v2/oauth2/token"  # noqa: S105  a path

_RENEW_BEFORE_S: Final = 60
_LONGEST_TOKEN_S: Final = 24 * 3600
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 15.0
_LARGEST_ANSWER: Final = 64 * 1024 * 1024
_SHOWN: Final = 500
_SUCCESS: Final = range(200, 300)
_UNAUTHORISED: Final = 401
_NOT_ADMITTED: Final = frozenset({_UNAUTHORISED, 403})
TOO_MANY: Final = 429
SERVER_ERROR: Final = 500

#: Nothing of a request has left when one of these comes.
NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
#: Something may have left and no answer came.
NO_ANSWER: Final = (httpx.RequestError, TimeoutError)

Sleep = Callable[[float], Awaitable[None]]
Before = Callable[[], Awaitable[None]]

_CLOCK: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
#: What the transport tells when it has a connection, before the first byte of a request leaves.
_LEAVES: Final = "http11.send_request_headers.started"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    retry_after_s: float = 0.0

    @property
    def is_passing(self) -> bool:
        """Whether another time may be a better one."""
        return self.status == TOO_MANY or self.status >= SERVER_ERROR

    @property
    def is_success(self) -> bool:
        return self.status in _SUCCESS

    @property
    def text(self) -> str:
        """Status and the bank's words: often none, sometimes a bare JSON string."""
        words = self.body.decode(errors="replace").strip()
        if words.startswith('"'):
            with suppress(ValueError):
                words = str(json.loads(words))
        return f"{self.status} {clean(words[:_SHOWN])}".rstrip()

    @property
    def has_words(self) -> bool:
        """Whether it says anything beside its status."""
        return bool(self.body.strip())

    @property
    def refusal(self) -> Refused:
        """What an answer means that is no success."""
        return NotAdmitted(self.text) if self.status in _NOT_ADMITTED else Refused(self.text)

    def accepted(self) -> bytes:
        """The body of an answer that is no refusal. Raises ``Refused``."""
        if not self.is_success:
            raise self.refusal
        return self.body


class Calls:
    """Tasks may share it. Raises ``NOT_SENT``, ``NO_ANSWER``, or ``Unavailable`` and
    ``NoToken``: then there was no token, and the call was not made."""

    def __init__(self, access: Access, http: httpx.AsyncClient, patience: Patience) -> None:
        self._access, self._http, self._patience = access, http, patience
        self._token = ""
        self._good_until_s = 0.0
        self._renewing = asyncio.Lock()

    @classmethod
    @asynccontextmanager
    async def connected(cls, access: Access, patience: Patience) -> AsyncIterator[Calls]:
        """With connections of its own, for the time of the block."""
        timeout = httpx.Timeout(None, connect=patience.connect_s, pool=patience.connect_s)
        # A proxy that this machine names for the world is none for the machine itself.
        direct: dict[str, httpx.AsyncBaseTransport | None] = {
            "all://127.0.0.1": None,
            "all://localhost": None,
            "all://[::1]": None,
        }
        async with httpx.AsyncClient(
            base_url=access.url, timeout=timeout, follow_redirects=False, mounts=direct
        ) as http:
            yield cls(access, http, patience)

    async def get(self, path: str, asked: dict[str, str] | None = None) -> Answer:
        return await self._authorised("GET", path, self._patience.answer_s, params=asked)

    async def post(self, path: str, body: dict[str, Any], before: Before) -> Answer:
        """``before`` is awaited each time that the connection is there and nothing has left yet;
        what it raises is raised, and nothing was sent."""

        async def trace(event: str, _info: object) -> None:
            if event == _LEAVES:
                await before()

        more = {"json": body, "extensions": {"trace": trace}}
        return await self._authorised("POST", path, self._patience.payment_s, **more)

    async def _authorised(self, method: str, path: str, limit_s: float, **more: Any) -> Answer:
        """A token that the bank calls bad is renewed, once: under it nothing was looked at."""
        token = await self._current_token()
        answer = await self._call(method, path, token, limit_s, **more)
        if answer.status != _UNAUTHORISED:
            return answer
        async with self._renewing:
            if self._token == token:
                self._good_until_s = 0.0
        token = await self._current_token()
        return await self._call(method, path, token, limit_s, **more)

    async def _call(
        self, method: str, path: str, token: str, limit_s: float, **more: Any
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        async with asyncio.timeout(limit_s):
            async with self._http.stream(method, path, headers=headers, **more) as response:
                return await _whole(response)

    async def _current_token(self) -> str:
        async with self._renewing:
            if now_s() >= self._good_until_s:
                self._token, good_for_s = await self._new_token()
                left_s = min(good_for_s, _LONGEST_TOKEN_S) - _RENEW_BEFORE_S
                self._good_until_s = now_s() + max(0, left_s)
            return self._token

    async def _new_token(self) -> tuple[str, int]:
        access = self._access
        try:
            async with asyncio.timeout(self._patience.answer_s):
                async with self._http.stream(
                    "POST",
                    _TOKEN,
                    auth=(access.client_id, access.client_secret),
                    headers={"x-api-key": access.api_key, "Accept": "application/json"},
                    data={"grant_type": "client_credentials"},
                ) as response:
                    answer = await _whole(response)
            if answer.is_passing:
                raise Unavailable(f"no token: the bank answered {answer.text}")
            if not answer.is_success:
                raise NoToken(f"no token: the bank answered {answer.text}")
            return reading.token(document(answer.body))
        except (*NO_ANSWER, Unreadable) as error:
            raise Unavailable(f"no token: {said(error)}") from error


def now_s() -> float:
    """By a clock that goes on while the machine sleeps: what was said before is old when it
    wakes."""
    return time.clock_gettime(_CLOCK)


class Pauses:
    """Between attempts at something that is safe to ask again, until ``until_s``."""

    def __init__(self, patience_s: float, sleep: Sleep) -> None:
        self.until_s = now_s() + patience_s
        self._next_s = _FIRST_PAUSE_S
        self._sleep = sleep

    async def rest(self, path: str, problem: str, at_least_s: float = 0.0) -> None:
        """Raises ``Unavailable`` where patience would be over by then."""
        pause_s = max(self._next_s, at_least_s)
        if now_s() + pause_s > self.until_s:
            raise Unavailable(f"{problem}; ask again later")
        _log.info("bank.asked_again", path=path, problem=problem, pause_s=pause_s)
        spread = random.uniform(0.8, 1.2) if not at_least_s else 1.0  # noqa: S311  no secret
        await self._sleep(pause_s * spread)
        self._next_s = min(self._next_s * 2, _LONGEST_PAUSE_S)


def said(error: BaseException) -> str:
    return f"{type(error).__name__} {error}".rstrip()


async def _whole(response: httpx.Response) -> Answer:
    """Up to a size that no statement has."""
    parts: list[bytes] = []
    size = 0
    async for part in response.aiter_bytes():
        size += len(part)
        if size > _LARGEST_ANSWER:
            raise httpx.ReadError("the answer is too large")
        parts.append(part)
    after = response.headers.get("Retry-After", "")  # documented nowhere, and believed if short
    after_s = float(after) if after.isascii() and after.isdigit() else 0.0
    return Answer(response.status_code, b"".join(parts), min(after_s, _LONGEST_PAUSE_S))
