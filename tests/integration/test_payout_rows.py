"""Rows of the statement that are a payout's, or may be: what is certain is booked, what is not is
for two people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import pytest

from bank.investec.records import Payment
from bank.sql import PAYOUTS
from tests.databases import Database
from tests.integration.gateways import NOBODY, code
from tests.integration.payout_town import PAYEE, Town, bank_running, followed, town
from tests.integration.processes import Broker
from tests.integration.simulated_bank import client
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
    agreeing = {"of": "ROW", "rowId": row_id}
    assert code(await here.say(payout, "approvals", "ben", **agreeing)) == (403, "same-owner")
    # Whoever agrees says to which row, and to that alone, whichever is named by then.
    other = {"of": "ROW", "rowId": NOBODY}
    assert code(await here.say(payout, "approvals", "cora", **other)) == (409, "payout-conflict")
    for unclear in ({"of": "ROW"}, {"rowId": row_id}):
        answer = await here.say(payout, "approvals", "cora", **unclear)
        assert code(answer) == (422, "invalid-request")
    assert code(await here.say(payout, "cancellations", "cora")) == (409, "payout-conflict")
    await here.said(payout, "refusals", "cora", "AWAITING_BANK")
    assert (await http.post(path, json=asked, headers=here.by("ben"))).status_code == 200
    await here.said(payout, "approvals", "cora", "AWAITING_BANK", **agreeing)
    await here.becomes(payout, "SETTLED")
    assert await here.balance(wallet) == ("20.00", "20.00")


async def test_a_debit_like_a_payout_that_was_given_up_is_no_bank_charge(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    await here.play.fault(route="payments", kind="status", status=500)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "UNKNOWN")
    await here.said(payout, "cancellations", "anna", "UNKNOWN")
    await here.said(payout, "approvals", "ben", "REJECTED", of="GIVING_UP")
    await here.available(wallet, "30.00")
    await here.play.credit(10_00, "INTERNET BANKING PAYMENT", type="DEBIT")
    row_id = await here.row("PAYOUT")
    asked = {"rowId": row_id, "reason": "it was made after all"}
    path = f"/v1/payouts/{payout['payoutId']}/rows"
    named = await here.running.http.post(path, json=asked, headers=here.by("ben"))
    assert named.status_code == 200, named.text
    await here.said(payout, "approvals", "cora", "REJECTED", of="ROW", rowId=row_id)
    await here.becomes(payout, "SETTLED")
    assert await here.balance(wallet) == ("20.00", "20.00")


async def test_a_file_that_is_paid_as_one_is_no_bank_charge(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    new = {**PAYEE, "accountNumber": "62000000777"}
    payouts = [await here.ask("escrow-01", amount, beneficiary=new) for amount in ("10.00", "5.00")]
    for payout in payouts:
        await here.said(payout, "approvals", "ben", "HELD")
        await here.becomes(payout, "AWAITING_BENEFICIARY")
    asked = {"format": "PAIN.001"}
    made = await here.running.http.post("/v1/payouts/exports", json=asked, headers=here.by("anna"))
    assert made.status_code == 201, made.text
    await here.play.credit(15_00, "BATCH", type="DEBIT")
    row_id = await here.row("PAYOUT")
    detail = await here.owner.fetchval("SELECT detail FROM sov.bank_exceptions")
    assert made.json()["exportId"] in detail
    # Of what it is made, people have to say; here that it was none of them.
    await here.act(row_id, "BOOK")
    assert await here.balance(wallet) == ("30.00", "15.00")


async def test_a_doubtful_row_is_a_bank_charge_where_two_people_say_so(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.credit(10_00, "MONTHLY FEE", type="DEBIT")
    row_id = await here.row("PAYOUT")
    # It is not enough that one person has seen it: the row would wait, and be listed nowhere.
    (told,) = [
        each
        for each in (await here.running.get("/v1/bank/exceptions"))["items"]
        if each["rowId"] == row_id
    ]
    seen = await here.running.http.post(
        f"/v1/bank/exceptions/{told['exceptionId']}/resolutions",
        json={"resolution": "ACKNOWLEDGED", "reason": "seen"},
        headers=here.by("anna"),
    )
    assert seen.status_code == 409, seen.text
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


async def test_a_row_that_was_held_back_for_another_may_still_be_a_payouts(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    (fee,) = await here.play.credit(10_00, "MONTHLY FEE", type="DEBIT")
    await here.booked("MONTHLY FEE")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.change(fee, "vanish")
    vanished = await here.row("VANISHED")
    await here.play.credit(10_00, "INTERNET BANKING PAYMENT", type="DEBIT")
    row_id = await here.row("HELD")
    # They say that it is not the fee, and nothing about payouts.
    await here.act(row_id, "BOOK")
    assert await here.row("PAYOUT") == row_id
    asked = {"rowId": row_id, "reason": "it is the payee's"}
    path = f"/v1/payouts/{payout['payoutId']}/rows"
    named = await here.running.http.post(path, json=asked, headers=here.by("ben"))
    assert named.status_code == 200, named.text
    await here.said(payout, "approvals", "cora", "AWAITING_BANK", of="ROW", rowId=row_id)
    await here.becomes(payout, "SETTLED")
    await here.act(vanished, "RETRACT")
    assert await here.balance(wallet) == ("20.00", "20.00")


async def test_money_that_comes_back_to_a_closed_wallet_lies_in_suspense(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.advance(10)
    settled = await here.becomes(payout, "SETTLED")
    closed = await here.running.http.patch(f"/v1/wallets/{wallet}", json={"status": "CLOSED"})
    assert closed.status_code == 200, closed.text
    await here.play.decide(settled["paymentReference"], "return")
    returned = await here.becomes(payout, "RETURNED")
    assert "suspense" in returned["reason"]
    assert await here.balance(wallet) == ("0.00", "0.00")
    lying = (await here.running.get("/v1/suspense"))["items"]
    (item,) = [each for each in lying if each["purpose"] == "WALLET_REFUSED"]
    assert (item["amount"], item["transferId"]) == ("10.00", returned["returnTransferId"])
    assert item["suggestions"] == [{"walletId": wallet, "why": "CANDIDATE"}]


async def test_what_the_bank_calls_a_double_may_have_been_made(here: Town) -> None:
    """Somebody else with our credentials has paid it: no answer says so, its row does."""
    wallet = await here.running.wallet("escrow-01", "10.00")
    await here.play.assume(twins="refused", payment_settles_s=1000)
    payout = await here.ask("escrow-01", "10.00")
    async with client(here.play) as another:
        (thandi,) = await another.beneficiaries()
        payment = Payment(thandi.beneficiary_id, Decimal(10), payout["myReference"], "Invoice 42")
        await another.pay(here.play.account_id, payment)
    await here.said(payout, "approvals", "ben", "HELD")
    unknown = await here.becomes(payout, "UNKNOWN")
    assert await here.balance(wallet) == ("10.00", "0.00"), unknown
    await here.play.advance(2000)
    await here.becomes(payout, "SETTLED")
    assert len(await here.play.payments()) == 1


async def test_nothing_is_paid_from_an_account_that_was_let_go(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path, bank=False) as here:
        await here.running.wallet("escrow-01", "10.00")
        async with bank_running(database, broker, here.play):
            await followed(here)
        payout = await here.ask("escrow-01", "10.00")
        await here.said(payout, "approvals", "ben", "HELD")
        async with bank_running(database, broker, here.play, bank_accounts="another"):

            async def is_let_go() -> bool:
                found = await here.owner.fetchval("SELECT followed_until FROM bank_accounts")
                return found is not None

            await eventually(is_let_go, 30)
            await here.ask("escrow-01", "1.00", expect=422)
            assert await here.owner.fetch(PAYOUTS.to_submit, UUID(int=0), 10, ["another"]) == []
            assert (await here.get(payout))["status"] == "HELD"
            assert await here.play.payments() == []
        async with bank_running(database, broker, here.play):
            await here.becomes(payout, "AWAITING_BANK")
            await here.play.advance(10)
            await here.becomes(payout, "SETTLED")
            await here.tie()
