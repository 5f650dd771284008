"""Payouts from the order to the bank's row, and everything that people may say on the way."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from bank.sql import PAYOUTS as SQL
from gateway.payout_documents import PayoutExportSchema, PayoutPage, PayoutSchema
from tests.databases import Database
from tests.integration.gateways import NOBODY, code
from tests.integration.payout_town import PAYEE, Town, town
from tests.integration.processes import Broker


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(database, broker, tmp_path) as found:
        yield found
        await found.tie()


async def test_a_payout_is_held_approved_asked_for_once_and_settled_by_its_row(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "200000.00")
    payout = await here.ask("escrow-01", "1500.50")
    PayoutSchema.model_validate(payout)
    assert (payout["status"], payout["approvalsNeeded"]) == ("AWAITING_APPROVAL", 1)
    assert await here.balance(wallet) == ("200000.00", "198499.50")
    for maker in ("anna too",):
        assert code(await here.say(payout, "approvals", maker)) == (403, "same-owner")
    operator = await here.running.post(f"/v1/payouts/{payout['payoutId']}/approvals", {})
    assert code(operator) == (403, "forbidden")
    await here.said(payout, "approvals", "ben", "HELD")
    taken = await here.becomes(payout, "AWAITING_BANK")
    assert taken["paymentReference"].startswith("UBP")
    assert (await here.balance(wallet))[0] == "200000.00"
    await here.play.advance(10)
    settled = await here.becomes(payout, "SETTLED")
    assert await here.balance(wallet) == ("198499.50", "198499.50")
    transfer = await here.running.get(f"/v1/transfers/{settled['transferId']}")
    assert transfer["externalUniqueId"] == settled["sessionId"]
    assert [r["amount"] for r in transfer["releasedReservations"]] == ["1500.50"]
    (paid,) = (await here.play.state())["payments"]
    assert (paid["mine"], paid["theirs"]) == (settled["myReference"], "Invoice 42")
    assert [word["word"] for word in settled["words"]] == ["APPROVED"]


async def test_a_large_one_takes_two_other_people(here: Town) -> None:
    await here.running.wallet("escrow-01", "200000.00")
    payout = await here.ask("escrow-01", "100000")
    assert payout["approvalsNeeded"] == 2
    await here.said(payout, "approvals", "ben", "AWAITING_APPROVAL")
    assert code(await here.say(payout, "approvals", "ben")) == (403, "same-owner")
    await here.said(payout, "approvals", "cora", "HELD")
    assert code(await here.say(payout, "approvals", "cora")) == (409, "payout-conflict")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")


async def test_two_who_agree_at_once_both_count(here: Town) -> None:
    await here.running.wallet("escrow-01", "200000.00")
    payout = await here.ask("escrow-01", "100000")
    answers = await asyncio.gather(
        *(here.say(payout, "approvals", person) for person in ("ben", "cora", "ben", "cora"))
    )
    assert sorted(answer.status_code for answer in answers)[:2] == [200, 200]
    found = await here.becomes(payout, "AWAITING_BANK")
    assert sorted(word["owner"] for word in found["words"]) == ["ben", "cora"]
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")


async def test_what_the_ledger_refuses_leaves_its_key_free(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    refused = await here.ask("escrow-01", "10.01", expect=422, externalUniqueId="again-000001")
    assert refused["code"] == "insufficient-funds"
    held = await here.ask("escrow-01", "10.00", externalUniqueId="again-000001")
    assert await here.balance(wallet) == ("10.00", "0.00")
    twice = await here.ask("escrow-01", "10.00", expect=409, externalUniqueId="again-000001")
    assert (twice["code"], twice["samePayload"]) == ("duplicate-payout", True)
    assert twice["payout"]["payoutId"] == held["payoutId"]
    other = await here.ask("escrow-01", "9.00", expect=409, externalUniqueId="again-000001")
    assert (other["code"], other["samePayload"]) == ("duplicate-payout", False)
    page = await here.running.get("/v1/payouts", limit=10)
    PayoutPage.model_validate(page)
    assert [item["status"] for item in page["items"]] == ["AWAITING_APPROVAL", "REJECTED"]
    only = await here.running.get("/v1/payouts", status="REJECTED", walletId=wallet)
    assert len(only["items"]) == 1
    await here.said(held, "cancellations", "anna", "REJECTED")
    await here.available(wallet, "10.00")


@pytest.mark.parametrize(("word", "person"), [("refusals", "ben"), ("cancellations", "anna")])
async def test_a_no_gives_the_money_back(here: Town, word: str, person: str) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    payout = await here.ask("escrow-01", "10.00")
    assert code(await here.say(payout, word, person, None)) == (422, "invalid-request")
    ended = await here.said(payout, word, person, "REJECTED")
    assert ended["reason"] == "because"
    await here.available(wallet, "10.00")
    assert code(await here.say(payout, "approvals", "cora")) == (409, "payout-conflict")
    assert (await here.play.state())["payments"] == []


async def test_the_banks_refusal_gives_the_money_back(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "2000000.00")
    payout = await here.ask("escrow-01", "1500000.00")
    await here.said(payout, "approvals", "ben", "AWAITING_APPROVAL")
    await here.said(payout, "approvals", "cora", "HELD")
    refused = await here.becomes(payout, "REJECTED")
    assert "funds" in refused["reason"]
    await here.available(wallet, "2000000.00")


async def test_a_success_that_complains_holds_the_money(here: Town) -> None:
    await here.play.assume(insufficient_funds="error-message")
    wallet = await here.running.wallet("escrow-01", "2000000.00")
    payout = await here.ask("escrow-01", "1500000.00")
    await here.said(payout, "approvals", "ben", "AWAITING_APPROVAL")
    await here.said(payout, "approvals", "cora", "HELD")
    unknown = await here.becomes(payout, "UNKNOWN")
    assert "funds" in unknown["reason"]
    assert await here.balance(wallet) == ("2000000.00", "500000.00")


async def test_asked_for_without_waiting(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    payout = await here.ask("escrow-01", "4.00", expect=202, prefer="respond-async")
    await here.becomes(payout, "AWAITING_APPROVAL")
    assert (await here.balance(wallet))[1] == "6.00"
    broke = await here.ask("escrow-01", "7.00", expect=202, prefer="respond-async")
    refused = await here.becomes(broke, "REJECTED")
    assert "insufficient-funds" in refused["reason"]
    assert (await here.balance(wallet))[1] == "6.00"


async def test_somebody_whom_the_bank_does_not_know_is_waited_for(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    new = {**PAYEE, "accountNumber": "62000000777"}
    payout = await here.ask("escrow-01", "10.00", beneficiary=new)
    await here.said(payout, "approvals", "ben", "HELD")
    waiting = await here.becomes(payout, "AWAITING_BENEFICIARY")
    assert len(waiting["steps"]) == 3
    assert await here.balance(wallet) == ("10.00", "0.00")
    # Somebody adds them, and pays them once: the system does not take that for this payout's leave.
    asked = {"name": "New", "accountNumber": "62000000777", "lastPaid": "2026-01-02"}
    await here.play.post("beneficiaries", asked)
    await here.said(payout, "resumptions", "anna", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")


async def test_a_beneficiary_with_another_account_number_is_not_paid(here: Town) -> None:
    await here.running.wallet("escrow-01", "10.00")
    swapped = await here.play.beneficiary("Thandi Nkosi, swapped")
    payee = {**PAYEE, "accountNumber": "62000000002", "beneficiaryId": swapped}
    payout = await here.ask("escrow-01", "10.00", beneficiary=payee)
    await here.said(payout, "approvals", "ben", "HELD")
    waiting = await here.becomes(payout, "AWAITING_BENEFICIARY")
    assert "another account number" in waiting["reason"]


@pytest.mark.parametrize("form", ["PAIN.001", "CSV"])
async def test_what_is_exported_is_never_asked_for_as_well(here: Town, form: str) -> None:
    await here.running.wallet("escrow-01", "30.00")
    new = {**PAYEE, "accountNumber": "62000000777"}
    payouts = [await here.ask("escrow-01", "10.00", beneficiary=new) for _ in range(2)]
    for payout in payouts:
        await here.said(payout, "approvals", "ben", "HELD")
        await here.becomes(payout, "AWAITING_BENEFICIARY")
    oldest = await here.owner.fetch(SQL.exportable, here.play.account_id, None, 1)
    assert [str(row["payout_id"]) for row in oldest] == [payouts[0]["payoutId"]]
    http, anna = here.running.http, here.by("anna")
    made = await http.post("/v1/payouts/exports", json={"format": form}, headers=anna)
    assert made.status_code == 201, made.text
    PayoutExportSchema.model_validate(made.json())
    assert (made.json()["payouts"], made.json()["total"]) == (2, "20.00")
    again = await http.post("/v1/payouts/exports", json={"format": form}, headers=anna)
    assert code(again) == (409, "payout-conflict")
    path = made.headers["location"]
    first, second = [(await http.get(path, headers=anna)).text for _ in range(2)]
    assert first == second
    assert (await http.get(path)).status_code == 403
    for payout in payouts:
        found = await here.becomes(payout, "AWAITING_BANK")
        assert payout["myReference"] in first
        assert found["exportId"] == made.json()["exportId"]
        assert code(await here.say(payout, "resumptions", "anna")) == (409, "payout-conflict")
        # The person uploads it, and the bank makes it.
        debit = {"type": "DEBIT", "transactionType": "OnlineBankingPayments"}
        await here.play.credit(10_00, f"PAY {payout['myReference'].lower()}", **debit)
    for payout in payouts:
        await here.becomes(payout, "SETTLED")
    assert (await here.play.state())["payments"] == []
    listed = await here.running.get("/v1/payouts/exports")
    assert [item["exportId"] for item in listed["items"]] == [made.json()["exportId"]]


async def test_the_banks_own_authorisers_are_waited_for(here: Town) -> None:
    await here.play.assume(authorisation_required=True)
    await here.running.wallet("escrow-01", "10.00")
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    taken = await here.becomes(payout, "AWAITING_BANK")
    assert taken["authorisedUntil"] > taken["submitted"]
    await here.play.decide(taken["paymentReference"], "approve")
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")


async def test_refusals_of_what_cannot_be_a_payout(here: Town) -> None:
    await here.running.wallet("escrow-01", "10.00")
    await here.running.wallet("dollars-01", currency="USD")
    for more, expected in (
        ({"amount": "1.001"}, "invalid-amount"),
        ({"walletExternalUniqueId": "nobody-01"}, "unknown-wallet"),
        ({"walletExternalUniqueId": "dollars-01"}, "currency-mismatch"),
        ({"walletExternalUniqueId": f"bank-control:{here.play.account_id}"}, "same-wallet"),
        ({"walletExternalUniqueId": f"bank-suspense:{here.play.account_id}"}, "same-wallet"),
        ({"bankAccountId": "other"}, "invalid-request"),
        ({"theirReference": "x" * 21}, "invalid-request"),
        ({"beneficiary": {**PAYEE, "accountNumber": "62-x"}}, "invalid-request"),
        ({"beneficiary": {**PAYEE, "name": "a\nb"}}, "invalid-request"),
    ):
        asked: dict[str, Any] = {"wallet": "escrow-01", "amount": "1.00", **more}
        refused = await here.ask(asked.pop("wallet"), asked.pop("amount"), expect=422, **asked)
        assert refused["code"] == expected, refused
    assert (await here.running.get("/v1/payouts"))["items"] == []
    nothing = {"payoutId": NOBODY}
    assert code(await here.say(nothing, "approvals", "ben")) == (404, "payout-not-found")
