"""Rows of the statement that are a payout's, or may be: what is certain is booked, what is not is
for two people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import Database
from tests.integration.gateways import code
from tests.integration.payout_town import Town, town
from tests.integration.processes import Broker
from tests.polling import eventually


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(database, broker, tmp_path) as found:
        yield found
        await found.tie()


@pytest.mark.parametrize("named", ["mine", "bank-reference"])
async def test_money_that_comes_back_is_in_the_wallet_again(here: Town, named: str) -> None:
    await here.play.assume(return_description=named)
    wallet = await here.running.wallet("escrow-01", "10.00")
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.advance(10)
    settled = await here.becomes(payout, "SETTLED")
    await here.play.decide(settled["paymentReference"], "return")
    returned = await here.becomes(payout, "RETURNED")
    assert await here.balance(wallet) == ("10.00", "10.00")
    transfer = await here.running.get(f"/v1/transfers/{returned['returnTransferId']}")
    assert transfer["externalUniqueId"].startswith("payout-return:")


async def test_a_debit_of_its_amount_without_its_reference_is_no_bank_charge(here: Town) -> None:
    await here.running.wallet("escrow-01", "10.00")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    taken = await here.becomes(payout, "AWAITING_BANK")
    await here.play.credit(10_00, "CARD PURCHASE", type="DEBIT")

    async def is_told() -> bool:
        kinds = await here.owner.fetch("SELECT kind FROM sov.bank_exceptions")
        return [row["kind"] for row in kinds] == ["PAYOUT"]

    await eventually(is_told)
    assert (await here.get(payout))["status"] == "AWAITING_BANK"
    await here.play.decide(taken["paymentReference"], "approve")
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")

    async def is_resolved() -> bool:
        return (
            await here.owner.fetchval(
                "SELECT bool_and(resolved > stored) FROM"
                " sov.bank_exceptions JOIN sov.bank_rows USING (row_id)"
            )
            is True
        )

    # Whose it was is certain now, and so is whose the other one is.
    await eventually(is_resolved)


async def test_a_row_whose_reference_was_cut_is_the_payouts_where_two_people_say_so(
    here: Town,
) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    words = f"INTERNET BANKING PAYMENT TO {payout['myReference']}"
    await here.play.credit(10_00, words, type="DEBIT")
    row_id = await here.row("PAYOUT")
    asked = {"rowId": row_id, "reason": "the time and the payee agree"}
    path = f"/v1/payouts/{payout['payoutId']}/rows"
    http = here.running.http
    named = await http.post(path, json=asked, headers=here.by("ben"))
    assert (named.status_code, named.json()["namedBy"]) == (200, "ben")
    assert code(await http.post(path, json=asked, headers=here.by("cora"))) == (
        409,
        "payout-conflict",
    )
    assert code(await here.say(payout, "approvals", "ben", of="ROW")) == (403, "same-owner")
    assert code(await here.say(payout, "cancellations", "cora")) == (409, "payout-conflict")
    await here.said(payout, "refusals", "cora", "AWAITING_BANK")
    assert (await http.post(path, json=asked, headers=here.by("ben"))).status_code == 200
    await here.said(payout, "approvals", "cora", "AWAITING_BANK", of="ROW")
    await here.becomes(payout, "SETTLED")
    assert await here.balance(wallet) == ("20.00", "20.00")


async def test_a_doubtful_row_is_a_bank_charge_where_two_people_say_so(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.credit(10_00, "MONTHLY FEE", type="DEBIT")
    row_id = await here.row("PAYOUT")
    await here.act(row_id, "BOOK")

    async def is_charged() -> bool:
        found = await here.owner.fetchrow(
            "SELECT purpose, booked FROM sov.bank_rows WHERE row_id = $1", row_id
        )
        return found is not None and (found["purpose"], bool(found["booked"])) == (
            "BANK_CHARGE",
            True,
        )

    await eventually(is_charged, 30)
    assert (await here.get(payout))["status"] == "AWAITING_BANK"
    assert await here.balance(wallet) == ("30.00", "20.00")


async def test_a_payouts_row_that_vanishes_and_comes_again_is_paid_once(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")
    rows = (await here.play.state())["rows"]
    (debit,) = [row for row in rows if payout["myReference"] in row["description"]]
    await here.play.change(debit["rowId"], "vanish")
    vanished = await here.row("VANISHED")
    await here.play.credit(10_00, f"{payout['myReference']} corrected", type="DEBIT")
    await here.act(await here.row("HELD"), "BOOK")
    await here.act(vanished, "RETRACT")

    async def has_paid_once() -> bool:
        return await here.balance(wallet) == ("20.00", "20.00")

    await eventually(has_paid_once, 30)
    assert (await here.get(payout))["status"] == "SETTLED"
