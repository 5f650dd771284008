"""Rows of payouts that the bank shows no more: what is booked, and what the payout says, is what
the bank has done."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import Database
from tests.integration.payout_town import Town, town
from tests.integration.processes import Broker
from tests.polling import eventually


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(database, broker, tmp_path) as found:
        yield found
        await found.tie()


async def vanish(here: Town, words: str) -> str:
    """The bank shows its latest row with these words no more; answers ours, once that is known."""
    rows = (await here.play.state())["rows"]
    *_, shown = [row["rowId"] for row in rows if words in row["description"]]
    await here.play.change(shown, "vanish")
    return await here.row("VANISHED")


async def has(here: Town, wallet: str, amount: str) -> None:
    """Nothing of it reserved."""

    async def is_it() -> bool:
        return await here.balance(wallet) == (amount, amount)

    await eventually(is_it, 30)


async def test_a_row_that_vanishes_and_comes_again_is_paid_once(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    payout = await here.settled("escrow-01", "10.00")
    vanished = await vanish(here, payout["myReference"])
    again = f"{payout['myReference']} corrected"
    await here.play.credit(10_00, again, type="DEBIT")
    await here.act(await here.row("HELD"), "BOOK")
    await here.booked(again)
    await here.act(vanished, "RETRACT")
    await has(here, wallet, "20.00")
    now = await here.becomes(payout, "SETTLED")
    # It is settled by the row that is there, and says so.
    assert now["transferId"] != payout["transferId"]
    transfer = await here.running.get(f"/v1/transfers/{now['transferId']}")
    assert transfer["externalUniqueId"].startswith("bank-row:")


async def test_a_row_that_comes_a_third_time_is_for_people(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    payout = await here.settled("escrow-01", "10.00")
    vanished = await vanish(here, payout["myReference"])
    again = f"{payout['myReference']} corrected"
    await here.play.credit(10_00, again, type="DEBIT")
    await here.act(await here.row("HELD"), "BOOK")
    await here.booked(again)
    await here.act(vanished, "RETRACT")
    await has(here, wallet, "20.00")
    # The bank has one row of it, which is booked. Another one is not its twin by itself.
    await here.play.credit(10_00, f"{payout['myReference']} twice", type="DEBIT")
    third = await here.row("PAYOUT")
    row = await here.running.get(f"/v1/payouts/{payout['payoutId']}")
    assert row["status"] == "SETTLED"
    await has(here, wallet, "20.00")
    await here.act(third, "BOOK")
    await here.booked(f"{payout['myReference']} twice")
    await has(here, wallet, "20.00")


async def test_a_payout_whose_booking_was_taken_back_was_not_made(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    payout = await here.settled("escrow-01", "10.00")
    await here.act(await vanish(here, payout["myReference"]), "RETRACT")
    rejected = await here.becomes(payout, "REJECTED")
    assert "taken its booking back" in rejected["reason"]
    assert rejected["transferId"] is None
    await has(here, wallet, "30.00")
    # And should the bank make it after all, that money has left, under a key of its own.
    await here.play.credit(10_00, f"{payout['myReference']} late", type="DEBIT")
    again = await here.becomes(payout, "SETTLED")
    transfer = await here.running.get(f"/v1/transfers/{again['transferId']}")
    assert transfer["externalUniqueId"].startswith("bank-row:")
    await has(here, wallet, "20.00")


async def test_such_a_payouts_row_without_its_reference_is_its_where_two_people_say_so(
    here: Town,
) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    payout = await here.settled("escrow-01", "10.00")
    await here.act(await vanish(here, payout["myReference"]), "RETRACT")
    await here.becomes(payout, "REJECTED")
    await here.play.credit(10_00, "INTERNET BANKING PAYMENT", type="DEBIT")
    row_id = await here.row("PAYOUT")
    asked = {"rowId": row_id, "reason": "it was made after all"}
    path = f"/v1/payouts/{payout['payoutId']}/rows"
    named = await here.running.http.post(path, json=asked, headers=here.by("ben"))
    assert named.status_code == 200, named.text
    await here.said(payout, "approvals", "cora", "REJECTED", of="ROW", rowId=row_id)
    await here.becomes(payout, "SETTLED")
    await has(here, wallet, "20.00")


async def test_a_return_whose_booking_was_taken_back_leaves_it_settled(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    payout = await here.settled("escrow-01", "10.00")
    await here.play.decide(payout["paymentReference"], "return")
    await here.becomes(payout, "RETURNED")
    await has(here, wallet, "30.00")
    await here.act(await vanish(here, f"RETURNED {payout['myReference']}"), "RETRACT")
    settled = await here.becomes(payout, "SETTLED")
    assert "taken its booking back" in settled["reason"]
    assert settled["returnTransferId"] is None
    await has(here, wallet, "20.00")
