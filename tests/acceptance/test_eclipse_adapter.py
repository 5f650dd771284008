"""What Eclipse is promised, through the adapter that Eclipse could write: examples/."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import httpx
import pytest

from examples.eclipse_adapter import StoreOfValue
from examples.eclipse_errors import ECLIPSE_CODES, NotDone, Refused, Unavailable, Unsettled
from examples.eclipse_retries import Patience
from ledger import keys
from ledger.database import connect_owner
from ledger.keys import Scope
from tests.acceptance.conftest import System
from tests.polling import eventually, until
from tests.proxy import Proxy

Json = dict[str, Any]

RAND = Decimal("1000.00")
QUICK = Patience(first_pause_s=0.02, longest_pause_s=0.1)
#: Long enough to be sent, too short to see the end of what a test holds up.
IMPATIENT = Patience(wait_s=0.5, give_up_after_s=1.0, first_pause_s=0.02, longest_pause_s=0.1)


@dataclass(slots=True)
class Town:
    """One customer with R1000, somebody to pay, and the wallets on the other side of money."""

    store: StoreOfValue
    wallets: dict[str, str]
    run: str = field(default_factory=lambda: secrets.token_hex(4))

    def key(self, name: str) -> str:
        return f"{self.run}-{name}"

    async def pay(self, to: str, name: str, **more: Any) -> Json:
        """R1000 from the customer, with the key that belongs to ``name``."""
        return await self.pay_through(self.store, to, name, **more)

    async def pay_through(self, store: StoreOfValue, to: str, name: str, **more: Any) -> Json:
        return await store.transfer(
            from_wallet_id=self.wallets["customer"],
            to_wallet_id=self.wallets[to],
            amount=RAND,
            external_unique_id=self.key(name),
            description=name,
            **more,
        )

    async def hold(self, session: str, expires: datetime | None = None) -> Json:
        return await self.store.reserve(
            wallet_id=self.wallets["customer"],
            amount=RAND,
            session_id=self.key(session),
            expires=expires or datetime.now(UTC) + timedelta(days=2),
            external_unique_id=self.key(f"{session}-hold"),
            description="ATM withdrawal",
        )

    async def balances(self, name: str) -> tuple[str, str]:
        """Current and available."""
        balance = await self.store.balance(self.wallets[name])
        return balance["currentBalance"], balance["availableBalance"]

    async def movements(self, name: str) -> list[tuple[str, str]]:
        """Key and amount of everything that ever moved on the wallet."""
        now = datetime.now(UTC)
        history = await self.store.history(
            self.wallets[name],
            date_from_incl=now - timedelta(days=1),
            date_to_excl=now + timedelta(days=1),
        )
        return [(entry["externalUniqueId"], entry["amount"]) for entry in history.entries]


@asynccontextmanager
async def connected(
    system: System, url: str = "", key: str = "eclipse", **hooks: Any
) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(
        base_url=url or system.url, headers=system.headers(key), event_hooks=hooks
    ) as client:
        yield client


@pytest.fixture
async def town(system: System) -> AsyncIterator[Town]:
    async with connected(system) as client, connected(system, key="operator") as operator:
        town = Town(StoreOfValue(client, QUICK), {})
        for name in ("customer", "friend"):
            wallet = await town.store.create_wallet(
                external_unique_id=town.key(name), currency="ZAR", name=name
            )
            town.wallets[name] = wallet["walletId"]
        for name in ("bank", "atm"):
            town.wallets[name] = await open_system_wallet(operator, town.key(name))
        await StoreOfValue(operator).transfer(
            from_wallet_id=town.wallets["bank"],
            to_wallet_id=town.wallets["customer"],
            amount=RAND,
            external_unique_id=town.key("top-up"),
            description="top-up",
        )
        yield town


async def open_system_wallet(operator: httpx.AsyncClient, key: str, currency: str = "ZAR") -> str:
    body = {"externalUniqueId": key, "currency": currency, "type": "SYSTEM"}
    response = await operator.post("/v1/wallets", json=body)
    assert response.status_code == 201, response.text
    wallet_id: str = response.json()["walletId"]
    return wallet_id


class Held:
    """A wallet's row, locked from outside: what the consumer has begun cannot end."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        self._connection = connection

    async def is_waited_for(self) -> bool:
        asked = "SELECT count(*) FROM pg_locks WHERE pg_backend_pid() = ANY(pg_blocking_pids(pid))"
        return bool(await self._connection.fetchval(asked))

    async def let_go(self) -> None:
        await self._connection.execute("ROLLBACK")


@asynccontextmanager
async def held(system: System, wallet_id: str) -> AsyncIterator[Held]:
    connection = await connect_owner(system.database_url)
    try:
        await connection.execute("BEGIN")
        await connection.execute(
            "SELECT FROM wallets WHERE wallet_id = $1::uuid FOR UPDATE", wallet_id
        )
        yield Held(connection)
    finally:
        await connection.close()


class Seen:
    """The answers that an adapter got, in order."""

    def __init__(self) -> None:
        self.answers: list[tuple[str, int, Json]] = []

    async def note(self, response: httpx.Response) -> None:
        await response.aread()
        body = response.json() if response.content else {}
        self.answers.append((response.request.method, response.status_code, body))

    def statuses(self, method: str) -> list[int]:
        return [status for seen, status, _ in self.answers if seen == method]

    def words(self) -> list[str]:
        """What ``GET /v1/commands/…`` said."""
        return [body["status"] for method, _, body in self.answers if method == "GET"]


async def test_an_atm_withdrawal_wins_against_a_transfer_at_the_same_moment(town: Town) -> None:
    await town.hold("withdrawal")
    assert await town.balances("customer") == ("1000.00", "0.00")

    with pytest.raises(Refused) as refused:
        await town.pay("friend", "to-friend")
    assert refused.value.problem["code"] == "insufficient-funds"

    cash = await town.pay("atm", "cash", session_id=town.key("withdrawal"))
    assert [r["amount"] for r in cash["releasedReservations"]] == ["1000.00"]
    assert await town.balances("customer") == ("0.00", "0.00")
    assert await town.balances("friend") == ("0.00", "0.00")
    assert await town.store.reservations(town.wallets["customer"]) == []
    assert await town.movements("customer") == [
        (town.key("top-up"), "1000.00"),
        (town.key("cash"), "-1000.00"),
    ]


async def test_of_a_withdrawal_and_a_transfer_without_reservation_one_wins(town: Town) -> None:
    async def attempt(to: str) -> str:
        try:
            await town.pay(to, f"race-{to}")
        except Refused as refusal:
            return str(refusal.problem["code"])
        return "posted"

    ends = await asyncio.gather(attempt("atm"), attempt("friend"))
    assert sorted(ends) == ["insufficient-funds", "posted"]
    assert await town.balances("customer") == ("0.00", "0.00")


async def test_a_retransmission_is_an_error_that_carries_the_original(town: Town) -> None:
    posted = await town.pay("friend", "once")
    with pytest.raises(Refused) as again:
        await town.pay("friend", "once")
    assert [e["code"] for e in again.value.errors] == ["SOV002"]
    assert again.value.problem["transfer"] == posted

    # A caller that knows it has sent this before asks what became of it.
    assert await town.pay("friend", "once", sent_before=True) == posted
    assert await town.balances("friend") == ("1000.00", "1000.00")


async def test_a_key_that_was_used_for_something_else_is_never_a_success(town: Town) -> None:
    await town.pay("friend", "once")
    with pytest.raises(Refused) as clash:
        await town.pay("atm", "once", sent_before=True)
    assert [e["code"] for e in clash.value.errors] == ["SOV003"]


async def test_a_lost_answer_moves_the_money_once_and_is_found_again(
    system: System, town: Town
) -> None:
    seen = Seen()
    async with (
        Proxy.before(system.url) as (proxy, url),
        connected(system, url, response=[seen.note]) as client,
        held(system, town.wallets["customer"]) as lock,
    ):
        cut_off = asyncio.ensure_future(town.pay_through(StoreOfValue(client, QUICK), "atm", "cut"))
        await eventually(lock.is_waited_for)
        await proxy.cut()
        await lock.let_go()
        posted = await cut_off

    assert seen.statuses("POST") == [409]
    assert posted["externalUniqueId"] == town.key("cut")
    assert await town.balances("customer") == ("0.00", "0.00")
    assert await town.movements("customer") == [
        (town.key("top-up"), "1000.00"),
        (town.key("cut"), "-1000.00"),
    ]


async def test_a_lost_refusal_is_a_refusal_again(system: System, town: Town) -> None:
    await town.pay("friend", "all-there-is")
    seen = Seen()
    async with (
        Proxy.before(system.url) as (proxy, url),
        connected(system, url, response=[seen.note]) as client,
        held(system, town.wallets["customer"]) as lock,
    ):
        cut_off = asyncio.ensure_future(town.pay_through(StoreOfValue(client, QUICK), "atm", "cut"))
        await eventually(lock.is_waited_for)
        await proxy.cut()
        await lock.let_go()
        with pytest.raises(Refused) as refused:
            await cut_off

    assert refused.value.problem["code"] == "insufficient-funds"
    assert seen.statuses("POST") == [422]


async def test_a_lost_release_is_released(system: System, town: Town) -> None:
    held_back = await town.hold("withdrawal")
    wallet_id, reservation_id = town.wallets["customer"], held_back["reservationId"]
    seen = Seen()
    async with (
        Proxy.before(system.url) as (proxy, url),
        connected(system, url, response=[seen.note]) as client,
        held(system, wallet_id) as lock,
    ):
        release = StoreOfValue(client, QUICK).release(wallet_id, reservation_id)
        cut_off = asyncio.ensure_future(release)
        await eventually(lock.is_waited_for)
        await proxy.cut()
        await lock.let_go()
        await cut_off

    assert seen.statuses("DELETE") == [404]
    assert await town.balances("customer") == ("1000.00", "1000.00")


async def test_an_accepted_command_is_followed_to_its_outcome(system: System, town: Town) -> None:
    seen = Seen()

    async def wait_for_nothing(request: httpx.Request) -> None:
        request.headers["Prefer"] = "respond-async"

    async with (
        connected(system, request=[wait_for_nothing], response=[seen.note]) as client,
        held(system, town.wallets["customer"]) as lock,
    ):
        paid = asyncio.ensure_future(town.pay_through(StoreOfValue(client, QUICK), "atm", "later"))
        await until(lambda: "PENDING" in seen.words())
        await lock.let_go()
        posted = await paid

    assert seen.statuses("POST") == [202]
    assert seen.words()[-1] == "APPLIED"
    assert posted["externalUniqueId"] == town.key("later")
    assert await town.balances("customer") == ("0.00", "0.00")


async def test_an_accepted_command_that_expired_is_sent_again(system: System, town: Town) -> None:
    seen = Seen()
    patience = Patience(wait_s=0.5, first_pause_s=0.02, longest_pause_s=0.1)
    async with (
        connected(system, response=[seen.note]) as client,
        held(system, town.wallets["customer"]) as lock,
    ):
        paid = asyncio.ensure_future(
            town.pay_through(StoreOfValue(client, patience), "atm", "later")
        )
        await until(lambda: "PENDING" in seen.words())
        await lock.let_go()
        posted = await paid

    assert seen.statuses("POST")[0] == 202
    assert seen.statuses("POST")[-1] == 201
    assert "EXPIRED" in seen.words()
    assert posted["externalUniqueId"] == town.key("later")
    assert await town.balances("customer") == ("0.00", "0.00")


async def test_what_is_not_settled_in_time_is_settled_later(system: System, town: Town) -> None:
    async with (
        connected(system) as client,
        held(system, town.wallets["customer"]) as lock,
    ):
        with pytest.raises(Unsettled) as unsettled:
            await town.pay_through(StoreOfValue(client, IMPATIENT), "atm", "later")
        assert [(e["code"], e["type"]) for e in unsettled.value.errors] == [("DAE001", "SYSTEM")]
        await lock.let_go()

    posted = await town.pay("atm", "later", sent_before=True)
    assert posted["externalUniqueId"] == town.key("later")
    assert await town.movements("customer") == [
        (town.key("top-up"), "1000.00"),
        (town.key("later"), "-1000.00"),
    ]


async def test_a_store_that_cannot_be_reached_has_moved_nothing(system: System, town: Town) -> None:
    async with Proxy.before(system.url) as (_, url):
        pass  # nobody listens there any more
    async with connected(system, url) as client:
        with pytest.raises(Unavailable) as unavailable:
            await town.pay_through(StoreOfValue(client, IMPATIENT), "atm", "nowhere")
    assert [(e["code"], e["type"]) for e in unavailable.value.errors] == [("DAE001", "SYSTEM")]
    assert await town.balances("customer") == ("1000.00", "1000.00")


async def test_a_reservation_holds_until_it_is_released_or_expires(town: Town) -> None:
    wallet_id = town.wallets["customer"]
    reservation = await town.hold("withdrawal")
    assert await town.store.reservations(wallet_id) == [reservation]
    await town.store.release(wallet_id, reservation["reservationId"])
    assert await town.balances("customer") == ("1000.00", "1000.00")

    async def is_free() -> bool:
        return await town.balances("customer") == ("1000.00", "1000.00")

    await town.hold("short", expires=datetime.now(UTC) + timedelta(seconds=3))
    assert await town.balances("customer") == ("1000.00", "0.00")
    await eventually(is_free)
    assert await town.store.reservations(wallet_id) == []


async def test_history_between_two_dates_is_half_open_and_says_how_far_it_is_complete(
    town: Town,
) -> None:
    posted = await town.pay("friend", "between")
    created = datetime.fromisoformat(posted["created"])
    before, after = created - timedelta(days=1), created + timedelta(microseconds=1)

    async def entries(start: datetime, end: datetime) -> list[str]:
        history = await town.store.history(
            town.wallets["friend"], date_from_incl=start, date_to_excl=end
        )
        return [entry["transferId"] for entry in history.entries]

    assert await entries(created, after) == [posted["transferId"]]
    assert await entries(before, created) == []

    async def is_complete() -> bool:
        history = await town.store.history(
            town.wallets["friend"], date_from_incl=before, date_to_excl=after
        )
        return datetime.fromisoformat(history.complete_until) >= after

    await eventually(is_complete)


async def refusal_of(call: Any) -> Json:
    with pytest.raises(NotDone) as not_done:
        await call
    (error,) = not_done.value.errors
    assert error["description"]
    assert error["traceId"]
    return {"ours": not_done.value.problem["code"], **error}


async def test_refusals_arrive_in_the_words_of_eclipse(system: System, town: Town) -> None:
    store, wallets = town.store, town.wallets
    nobody = "01900000-0000-7000-8000-000000000000"

    async def pay(name: str, **changed: Any) -> Json:
        asked = {
            "from_wallet_id": wallets["customer"],
            "to_wallet_id": wallets["friend"],
            "amount": RAND,
            "external_unique_id": town.key(name),
            "description": name,
        }
        return await refusal_of(store.transfer(**{**asked, **changed}))

    async with connected(system, key="operator") as operator:
        dollars = await open_system_wallet(operator, town.key("dollars"), "USD")
        wallets |= {"frozen": wallets["friend"], "closed": wallets["atm"]}
        for name, status in (("frozen", "FROZEN"), ("closed", "CLOSED")):
            change = {"status": status}
            answer = await operator.patch(f"/v1/wallets/{wallets[name]}", json=change)
            assert answer.status_code == 200, answer.text

    told = [
        await pay("too-much", amount=RAND + 1),
        await pay("too-fine", amount=Decimal("0.001")),
        await pay("too-large", amount=Decimal(10) ** 15, from_wallet_id=wallets["bank"]),
        await pay("top-up"),
        await pay("no-such-wallet", to_wallet_id=nobody),
        await pay("no-such-id", to_wallet_id="30341"),
        await pay("to-itself", to_wallet_id=wallets["customer"]),
        await pay("to-dollars", to_wallet_id=dollars),
        await pay("from-frozen", from_wallet_id=wallets["frozen"], to_wallet_id=wallets["bank"]),
        await pay("to-closed", to_wallet_id=wallets["closed"]),
        await pay("too-short", external_unique_id="short"),
        await refusal_of(store.balance(nobody)),
        await refusal_of(
            store.create_wallet(external_unique_id=town.key("friend"), currency="ZAR", name="x")
        ),
        await refusal_of(town.hold("withdrawal", expires=datetime(2020, 1, 1, tzinfo=UTC))),
    ]
    assert {(t["ours"], t["code"], t["type"]) for t in told} == {
        ("insufficient-funds", "SOV001", "BUSINESS"),
        ("invalid-amount", "VAL001", "BUSINESS"),
        ("limit-exceeded", "SOV006", "BUSINESS"),
        ("duplicate-transfer", "SOV003", "BUSINESS"),
        ("unknown-wallet", "ARCH086", "BUSINESS"),
        ("same-wallet", "SOV004", "BUSINESS"),
        ("currency-mismatch", "SOV005", "BUSINESS"),
        ("wallet-frozen", "SOV007", "BUSINESS"),
        ("wallet-closed", "SOV008", "BUSINESS"),
        ("wallet-not-found", "ARCH086", "BUSINESS"),
        ("duplicate-wallet", "SOV003", "BUSINESS"),
        ("invalid-request", "VAL001", "BUSINESS"),
    }
    assert all(t["severity"] == "LOW" for t in told)


async def test_refusals_at_the_door_arrive_in_the_words_of_eclipse(
    system: System, town: Town
) -> None:
    connection = await connect_owner(system.database_url)
    try:
        slow = await keys.create(connection, town.key("slow"), [Scope.ECLIPSE], rate=1)
    finally:
        await connection.close()
    customer = town.wallets["customer"]

    async def asked_with(key: str, patience: Patience) -> Json:
        async with connected(system) as client:
            client.headers["Authorization"] = f"Bearer {key}"
            store = StoreOfValue(client, patience)
            await asyncio.gather(*(store.balance(customer) for _ in range(3)))
        return {}

    at_once = Patience(give_up_after_s=0.5)
    limited = await refusal_of(asked_with(slow, at_once))
    assert (limited["code"], limited["type"]) == (ECLIPSE_CODES["rate-limited"], "SYSTEM")
    unknown = await refusal_of(asked_with("nobody-has-this-key", at_once))
    assert (unknown["code"], unknown["type"]) == ("SEC001", "BUSINESS")
    async with connected(system, key="reader") as client:
        forbidden = await refusal_of(town.pay_through(StoreOfValue(client), "atm", "reading"))
    assert (forbidden["code"], forbidden["type"]) == ("SEC001", "BUSINESS")
