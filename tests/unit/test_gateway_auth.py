"""Keys: who is let in, what is said to the others, and what happens while the books are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta

import asyncpg
import pytest

from gateway import auth
from gateway.auth import Gatekeeper, KeyRing, Rates
from gateway.operations import READERS, WRITERS
from gateway.preferences import read_waiting
from gateway.problems import Refusal
from ledger.keys import ApiKey, Scope, hash_secret
from tests.polling import until
from tests.unit.gateway_calls import NOW, api_key, call

SECRET = "sov_k1_secret"


class Books:
    """The keys on record, and whether they can be asked for."""

    def __init__(self, *keys: ApiKey) -> None:
        self.keys = list(keys)
        self.away: Exception | None = None
        self.silent = False
        self.asked = 0

    async def load(self) -> Sequence[ApiKey]:
        self.asked += 1
        await asyncio.sleep(0)
        if self.silent:
            await asyncio.Event().wait()
        if self.away is not None:
            raise self.away
        return list(self.keys)


@asynccontextmanager
async def ring_of(books: Books) -> AsyncIterator[KeyRing]:
    ring = KeyRing(refresh_s=0.1, refresh_least_s=0.02)
    running = asyncio.create_task(ring.run(books.load))
    try:
        await until(lambda: books.asked)
        await asyncio.sleep(0)
        yield ring
    finally:
        running.cancel()


def key(**more: object) -> ApiKey:
    return api_key(**{"secret_hash": hash_secret(SECRET), **more})


async def admitted(
    ring: KeyRing, presented: str = SECRET, scopes: frozenset[Scope] = READERS
) -> ApiKey:
    made = call({"Authorization": f"Bearer {presented}"})
    await Gatekeeper(ring, lambda: NOW).admit(made, scopes)
    return made.key


async def code_of(
    ring: KeyRing, presented: str = SECRET, scopes: frozenset[Scope] = READERS
) -> str:
    with pytest.raises(Refusal) as refused:
        await admitted(ring, presented, scopes)
    return str(refused.value.code)


async def test_a_key_lets_in() -> None:
    async with ring_of(Books(key())) as ring:
        assert (await admitted(ring)).key_id == "k1"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic x", "sov_k1_secret", "Bearer " + "x" * 201, "Bearer é"],
)
async def test_what_is_no_key_is_not_looked_up(header: str) -> None:
    books = Books(key())
    async with ring_of(books) as ring:
        with pytest.raises(Refusal) as refused:
            await Gatekeeper(ring, lambda: NOW).admit(call({"Authorization": header}), READERS)
        assert refused.value.code == "unauthenticated"
        assert dict(refused.value.headers)[b"www-authenticate"] == b"Bearer"
        assert books.asked == 1


async def test_revoked_and_expired_keys_are_refused() -> None:
    for gone in (key(revoked=NOW), key(expires=NOW)):
        async with ring_of(Books(gone)) as ring:
            assert await code_of(ring) == "unauthenticated"
    async with ring_of(Books(key(expires=NOW + timedelta(seconds=1)))) as ring:
        assert (await admitted(ring)).key_id == "k1"


async def test_scopes() -> None:
    async with ring_of(Books(key(scopes=frozenset({Scope.READER})))) as ring:
        await admitted(ring, scopes=READERS)
        assert await code_of(ring, scopes=WRITERS) == "forbidden"
    async with ring_of(Books(key(scopes=frozenset({Scope.BATCH})))) as ring:
        await admitted(ring, scopes=READERS)
        assert await code_of(ring, scopes=WRITERS) == "forbidden"
    async with ring_of(Books(key(scopes=frozenset({Scope.OPERATOR})))) as ring:
        await admitted(ring, scopes=WRITERS)


async def test_a_key_made_a_moment_ago_is_found() -> None:
    books = Books()
    async with ring_of(books) as ring:
        books.keys.append(key())
        assert (await admitted(ring)).key_id == "k1"
        assert books.asked == 2


async def test_unknown_keys_share_one_look_at_the_books() -> None:
    books = Books()
    async with ring_of(books) as ring:
        codes = await asyncio.gather(*(code_of(ring, f"wrong-{n}") for n in range(100)))
        assert set(codes) == {"unauthenticated"}
        assert books.asked == 2


async def test_while_the_books_are_away_nobody_is_called_invalid() -> None:
    books = Books(key())
    async with ring_of(books) as ring:
        books.away = ConnectionRefusedError()
        assert await code_of(ring, "wrong") == "unavailable"
        assert (await admitted(ring)).key_id == "k1"
        assert not ring.answering


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        asyncpg.CannotConnectNowError("the database system is starting up"),
        asyncpg.InsufficientPrivilegeError("permission denied for table api_keys"),
    ],
)
async def test_the_ring_goes_on_whatever_the_database_says(error: Exception) -> None:
    books = Books(key())
    async with ring_of(books) as ring:
        books.away = error
        assert await code_of(ring, "wrong") == "unavailable"
        books.away = None
        assert await code_of(ring, "wrong") == "unauthenticated"


async def test_a_caller_waits_for_its_key_no_longer_than_for_anything(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "_LOAD_TIMEOUT_S", 60)
    monkeypatch.setattr(auth, "_PATIENCE_S", 60)
    books = Books(key())
    async with ring_of(books) as ring:
        books.silent = True
        made = call({"Authorization": "Bearer unknown", "Prefer": "wait=0.2"})
        made.waiting = read_waiting(made)
        async with asyncio.timeout(10):
            with pytest.raises(Refusal) as refused:
                await Gatekeeper(ring, lambda: NOW).admit(made, READERS)
        assert refused.value.code == "unavailable"


async def test_callers_with_unknown_keys_are_not_kept_without_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(auth, "_MOST_UNKNOWN", 2)
    books = Books(key())
    async with ring_of(books) as ring:
        codes = await asyncio.gather(*(code_of(ring, f"wrong-{n}") for n in range(5)))
        assert sorted(codes) == ["unauthenticated"] * 2 + ["unavailable"] * 3
        assert (await admitted(ring)).key_id == "k1"
        assert await code_of(ring, "wrong") == "unauthenticated"


async def test_before_the_first_look_no_key_is_called_invalid() -> None:
    assert await code_of(KeyRing()) == "unavailable"


async def test_a_revocation_is_noticed_by_itself() -> None:
    books = Books(key())
    async with ring_of(books) as ring:
        await admitted(ring)
        books.keys = [key(revoked=NOW)]
        await until(lambda: books.asked == 2)
        await asyncio.sleep(0)
        assert await code_of(ring) == "unauthenticated"


def test_rates() -> None:
    rates = Rates()
    limited, other = api_key(rate=2), api_key(key_id="k2", rate=1)
    assert [rates.wait_s(limited, 0.0) for _ in range(3)] == [0, 0, 0.5]
    assert rates.wait_s(other, 0.0) == 0
    assert rates.wait_s(limited, 0.25) == 0.25
    assert rates.wait_s(limited, 0.5) == 0
    assert [rates.wait_s(limited, 100.0) for _ in range(3)] == [
        0,
        0,
        0.5,
    ]  # no more than a second's
    assert not any(rates.wait_s(api_key(), 0.0) for _ in range(1000))


def test_gateways_share_a_rate() -> None:
    for rate, gateways in ((12, 4), (2, 4), (1, 8)):
        keys = api_key(rate=rate)
        shared = [Rates(gateways) for _ in range(gateways)]
        # A minute of everybody asking everywhere a hundred times a second.
        allowed = sum(not r.wait_s(keys, n / 100) for n in range(6000) for r in shared)
        assert 59 * rate <= allowed <= 60 * rate + max(rate, gateways)


async def test_a_key_that_goes_too_fast_is_told_so() -> None:
    async with ring_of(Books(key(rate=1))) as ring:
        keeper = Gatekeeper(ring, lambda: NOW)
        await keeper.admit(call({"Authorization": f"Bearer {SECRET}"}), READERS)
        with pytest.raises(Refusal) as refused:
            await keeper.admit(call({"Authorization": f"Bearer {SECRET}"}), READERS)
    assert refused.value.code == "rate-limited"
    assert refused.value.retry_after_s == 1
