"""An answer that never came: the money moves at most once, and the adapter comes to know it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from examples.eclipse_adapter import StoreOfValue
from examples.eclipse_errors import Json, Refused, Unavailable, Unsettled
from examples.eclipse_retries import Patience
from tests.acceptance.conftest import System
from tests.acceptance.eclipse_town import QUICK, Seen, Town, connected, held, new_town
from tests.polling import eventually, until
from tests.proxy import Proxy

#: Long enough to be sent, too short to see the end of what a test holds up.
IMPATIENT = Patience(wait_s=1.0, give_up_after_s=1.5, first_pause_s=0.02, longest_pause_s=0.1)
PAYMENTS, CUTS = 40, 20


@pytest.fixture
async def town(system: System) -> AsyncIterator[Town]:
    async with new_town(system) as town:
        yield town


async def cut_in_the_middle(
    system: System, wallet_id: str, call: Callable[[StoreOfValue], Awaitable[Any]]
) -> tuple[Any, list[int]]:
    """Cut the connection of a call that the consumer has begun and cannot end; then let it end.

    Answers what the call came to, which may be a refusal, and the statuses that it got to see.
    """
    seen = Seen()
    async with (
        Proxy.before(system.url) as (proxy, url),
        connected(system, url, response=[seen.note]) as client,
        held(system, wallet_id) as lock,
    ):
        asked = asyncio.ensure_future(call(StoreOfValue(client, QUICK)))
        await eventually(lock.is_waited_for)
        await proxy.cut()
        await lock.let_go()
        ended = await asyncio.gather(asked, return_exceptions=True)
    return ended[0], seen.statuses()


async def test_a_lost_answer_moves_the_money_once_and_is_found_again(
    system: System, town: Town
) -> None:
    posted, statuses = await cut_in_the_middle(
        system, town.wallets["customer"], lambda store: town.pay("atm", "cut", store)
    )
    assert statuses == [409]
    assert posted["externalUniqueId"] == town.key("cut")
    assert await town.balances("customer") == ("0.00", "0.00")
    assert await town.movements("customer") == [
        (town.key("top-up"), "1000.00"),
        (town.key("cut"), "-1000.00"),
    ]


async def test_a_lost_refusal_is_a_refusal_again(system: System, town: Town) -> None:
    await town.pay("friend", "all-there-is")
    refused, statuses = await cut_in_the_middle(
        system, town.wallets["customer"], lambda store: town.pay("atm", "cut", store)
    )
    assert statuses == [422]
    assert isinstance(refused, Refused)
    assert refused.problem["code"] == "insufficient-funds"


async def test_what_was_released_without_an_answer_is_released(system: System, town: Town) -> None:
    wallet_id = town.wallets["customer"]
    reservation_id = (await town.hold("withdrawal"))["reservationId"]
    end, statuses = await cut_in_the_middle(
        system, wallet_id, lambda store: store.release(wallet_id, reservation_id)
    )
    assert statuses == [404]
    assert end is None
    assert await town.balances("customer") == ("1000.00", "1000.00")


class Storm(httpx.AsyncBaseTransport):
    """Whenever an answer arrives, the connections of all others that are on their way are cut."""

    def __init__(self, cuts: int) -> None:
        self._inner = httpx.AsyncHTTPTransport()
        self._flying: set[asyncio.Task[httpx.Response]] = set()
        self._cuts_left = cuts
        self.lost = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        call = asyncio.ensure_future(self._inner.handle_async_request(request))
        self._flying.add(call)
        await asyncio.wait([call])
        self._flying.discard(call)
        if call.cancelled():
            self.lost += 1
            raise httpx.ReadError("the connection was cut", request=request)
        if self._cuts_left > 0:
            self._cuts_left -= 1
            for other in self._flying:
                other.cancel()
        return await call

    async def aclose(self) -> None:
        await self._inner.aclose()


async def test_in_a_storm_of_cut_connections_every_payment_moves_once(
    system: System, town: Town
) -> None:
    storm = Storm(CUTS)
    a_few = asyncio.Semaphore(8)
    async with httpx.AsyncClient(
        transport=storm, base_url=system.url, headers=system.headers()
    ) as client:
        store = StoreOfValue(client, QUICK)

        async def pay(number: int) -> Json:
            async with a_few:
                return await town.pay("friend", f"storm-{number}", store, amount=Decimal(10))

        paid = await asyncio.gather(*(pay(number) for number in range(PAYMENTS)))

    keys = [town.key(f"storm-{number}") for number in range(PAYMENTS)]
    assert [transfer["externalUniqueId"] for transfer in paid] == keys
    assert storm.lost > 0
    assert sorted(await town.movements("friend")) == sorted((key, "10.00") for key in keys)


async def test_an_accepted_command_is_followed_to_its_outcome(system: System, town: Town) -> None:
    seen = Seen()

    async def wait_for_nothing(request: httpx.Request) -> None:
        request.headers["Prefer"] = "respond-async"

    posted = await pay_while_held(system, town, seen, QUICK, request=[wait_for_nothing])
    assert seen.statuses() == [202]
    assert seen.words()[-1] == "APPLIED"
    assert posted["externalUniqueId"] == town.key("later")
    assert await town.balances("customer") == ("0.00", "0.00")


async def test_an_accepted_command_that_expired_is_sent_again(system: System, town: Town) -> None:
    seen = Seen()
    patience = Patience(wait_s=0.5, first_pause_s=0.02, longest_pause_s=0.1)
    posted = await pay_while_held(system, town, seen, patience)
    assert 202 in seen.statuses()
    assert seen.statuses()[-1] == 201
    assert "EXPIRED" in seen.words()
    assert posted["externalUniqueId"] == town.key("later")
    assert await town.balances("customer") == ("0.00", "0.00")


async def pay_while_held(
    system: System, town: Town, seen: Seen, patience: Patience, **hooks: Any
) -> Json:
    """Pay from a wallet that is held until the adapter has heard PENDING."""
    async with (
        connected(system, response=[seen.note], **hooks) as client,
        held(system, town.wallets["customer"]) as lock,
    ):
        paid = asyncio.ensure_future(town.pay("atm", "later", StoreOfValue(client, patience)))
        await until(lambda: "PENDING" in seen.words())
        await lock.let_go()
        return await paid


async def test_what_is_not_settled_in_time_is_settled_later(system: System, town: Town) -> None:
    async with connected(system) as client, held(system, town.wallets["customer"]) as lock:
        with pytest.raises(Unsettled) as unsettled:
            await town.pay("atm", "later", StoreOfValue(client, IMPATIENT))
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
            await town.pay("atm", "nowhere", StoreOfValue(client, IMPATIENT))
    assert [(e["code"], e["type"]) for e in unavailable.value.errors] == [("DAE001", "SYSTEM")]
    assert await town.balances("customer") == ("1000.00", "1000.00")
