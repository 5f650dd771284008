"""Who may ask for what: the API keys, kept in memory and never older than a second or two.

While the database is away, keys that are known go on being known, and nobody is told that a key is
not valid: that could not be known.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import asyncpg
import structlog

from gateway.call import Call
from gateway.metrics import KEYS_KNOWN
from gateway.problems import DATABASE_AWAY, GatewayCode, Refusal, unavailable
from ledger.keys import ApiKey, Scope, hash_secret

_REFRESH_S: Final = 1.0
#: However many unknown keys are presented, the database is not asked more often than this.
_REFRESH_LEAST_S: Final = 0.25
_LOAD_TIMEOUT_S: Final = 2.0
#: A whole round of refreshing, with margin: a caller with an unknown key waits no longer.
_PATIENCE_S: Final = 2 * _LOAD_TIMEOUT_S + _REFRESH_S
#: Callers that wait because their key is not known: a part of the calls that are served at once.
_MOST_UNKNOWN: Final = 1000
#: Keys are 60 characters; nothing longer is worth a hash.
_LONGEST_KEY: Final = 200

_log = structlog.get_logger(__name__)


class KeyRing:
    """All keys by the hash of their secret."""

    def __init__(
        self, *, refresh_s: float = _REFRESH_S, refresh_least_s: float = _REFRESH_LEAST_S
    ) -> None:
        """Refreshes every ``refresh_s``, and for unknown keys as often as ``refresh_least_s``."""
        self._refresh_s, self._refresh_least_s = refresh_s, refresh_least_s
        self._keys: Mapping[bytes, ApiKey] = {}
        self._wanted = asyncio.Event()
        self._round: asyncio.Future[bool] | None = None
        self._unknown = 0
        self.answering = False
        """Whether the last refresh came through."""

    async def find(self, presented: str, call: Call) -> ApiKey | None:
        """The key, revoked or expired as it may be; None where the books have no such key.

        Raises ``Refusal`` where that cannot be known, or not while the caller waits.
        """
        secret_hash = hash_secret(presented)
        found = self._keys.get(secret_hash)
        if found is not None:
            return found
        if await self._next_round(min(_PATIENCE_S, call.left_s)):
            return self._keys.get(secret_hash)
        raise unavailable("the key is not known here, and the books cannot be asked")

    async def run(self, load: Callable[[], Awaitable[Sequence[ApiKey]]]) -> None:
        """Keep the keys fresh, until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            # Whoever comes from here on needs a refresh that starts later than this one.
            current, self._round = self._round or loop.create_future(), loop.create_future()
            self._wanted.clear()
            self.answering = await self._refresh(load)
            current.set_result(self.answering)
            await asyncio.sleep(self._refresh_least_s)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._refresh_s - self._refresh_least_s):
                    await self._wanted.wait()

    async def _refresh(self, load: Callable[[], Awaitable[Sequence[ApiKey]]]) -> bool:
        try:
            async with asyncio.timeout(_LOAD_TIMEOUT_S):
                keys = await load()
        except (*DATABASE_AWAY, asyncpg.PostgresError) as error:
            # Whatever it says: the keys that are known stay, and the next try may succeed.
            if self.answering:
                _log.warning("keys.refresh_failed", error=repr(error))
            return False
        self._keys = {key.secret_hash: key for key in keys}
        KEYS_KNOWN.set(len(keys))
        return True

    async def _next_round(self, within_s: float) -> bool:
        """Whether a refresh that starts from now on comes through; everybody shares one."""
        if self._round is None:
            return False
        if self._unknown >= _MOST_UNKNOWN:
            raise unavailable("too many callers with unknown keys at once")
        self._wanted.set()
        self._unknown += 1
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(self._round)
        except TimeoutError:
            return False
        finally:
            self._unknown -= 1


class Rates:
    """How fast each key may go: a bucket that holds one second's worth.

    Of ``gateways`` that share the calls each allows its part. They know nothing of each other, so
    that a caller whose connections all lead to one of them has that part only.
    """

    def __init__(self, gateways: int = 1) -> None:
        self._gateways = gateways
        self._buckets: dict[str, tuple[float, float]] = {}

    def wait_s(self, key: ApiKey, now_s: float) -> float:
        """0 where the call may go on, else the time until the next one may."""
        if key.rate is None:
            return 0.0
        rate = key.rate / self._gateways
        most = max(1.0, rate)  # less would never let anything through
        tokens, last_s = self._buckets.get(key.key_id, (most, now_s))
        tokens = min(most, tokens + (now_s - last_s) * rate)
        allowed = tokens >= 1
        self._buckets[key.key_id] = (tokens - 1 if allowed else tokens, now_s)
        return 0.0 if allowed else (1 - tokens) / rate


class Gatekeeper:
    """Lets a call in, or says why not."""

    def __init__(self, ring: KeyRing, now: Callable[[], datetime], gateways: int = 1) -> None:
        self._ring, self._now = ring, now
        self._rates = Rates(gateways)

    async def admit(self, call: Call, scopes: frozenset[Scope]) -> None:
        """Set the call's key. Raises ``Refusal``."""
        key = await self._ring.find(_presented(call), call)
        if key is None or not key.is_valid_at(self._now()):
            raise _unauthenticated(
                "the API key is not known, or revoked, or expired", b'Bearer error="invalid_token"'
            )
        if scopes.isdisjoint(key.scopes):
            raise forbidden(f"this takes a key with the scope {_any_of(scopes)}")
        if key.rate is not None:
            wait_s = self._rates.wait_s(key, asyncio.get_running_loop().time())
            if wait_s > 0:
                raise Refusal(
                    GatewayCode.RATE_LIMITED,
                    f"this key may make {key.rate} requests per second",
                    retry_after_s=math.ceil(wait_s),
                )
        call.key = key


def require_operator(call: Call, what: str) -> None:
    """Raises ``Refusal`` unless the key may do what operators do."""
    if Scope.OPERATOR not in call.key.scopes:
        raise forbidden(f"{what} takes a key with the scope operator")


def forbidden(detail: str) -> Refusal:
    return Refusal(GatewayCode.FORBIDDEN, detail)


def _presented(call: Call) -> str:
    value = call.field(b"authorization")
    if value is None:
        raise _unauthenticated("an API key is needed: Authorization: Bearer <key>", b"Bearer")
    scheme, _, key = value.partition(b" ")
    key = key.strip()
    if scheme.lower() != b"bearer" or not key.isascii() or not 0 < len(key) <= _LONGEST_KEY:
        raise _unauthenticated("the header must be Authorization: Bearer <key>", b"Bearer")
    return key.decode("ascii")


def _unauthenticated(detail: str, challenge: bytes) -> Refusal:
    return Refusal(GatewayCode.UNAUTHENTICATED, detail, headers=[(b"www-authenticate", challenge)])


def _any_of(scopes: Iterable[Scope]) -> str:
    return " or ".join(sorted(scopes))
