"""What Eclipse asks of a store of value, through the adapter that Eclipse could write."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from examples.eclipse_errors import Refused
from tests.acceptance.conftest import System
from tests.acceptance.eclipse_town import RAND, Town, new_town
from tests.polling import eventually


@pytest.fixture
async def town(system: System) -> AsyncIterator[Town]:
    async with new_town(system) as town:
        yield town


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


async def test_wallets_and_reservations_that_were_sent_before_are_found_again(town: Town) -> None:
    wallet = await town.store.create_wallet(
        external_unique_id=town.key("friend"), currency="ZAR", name="friend", sent_before=True
    )
    assert wallet["walletId"] == town.wallets["friend"]

    held_back = await town.hold("withdrawal")
    again = await town.store.reserve(
        wallet_id=held_back["walletId"],
        amount=RAND,
        session_id=held_back["sessionId"],
        expires=datetime.fromisoformat(held_back["expires"]),
        external_unique_id=held_back["externalUniqueId"],
        description="ATM withdrawal",
        sent_before=True,
    )
    assert again == held_back
    assert await town.balances("customer") == ("1000.00", "0.00")


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


async def test_a_history_between_two_dates_is_half_open_and_says_how_far_it_is_complete(
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
