"""Payments of the simulated bank, and what becomes of them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bank_caller import ACCOUNT, Caller, admitted, item, responses
from tests.integration.simulated_bank import Play, simulated


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        await playing.credit(1000_00, "float")
        yield playing


@pytest.fixture
async def caller(play: Play) -> Caller:
    return await admitted(play)


async def test_a_payment_is_answered_as_officially(play: Play, caller: Caller) -> None:
    to = await play.beneficiary("Thandi")
    answer = await caller.pay(item(to))
    year, month, day = (await play.state())["today"].split("-")
    (response,) = responses(answer)
    assert answer.json()["data"]["ErrorMessage"] is None
    reference = response.pop("PaymentReferenceNumber")
    assert reference.startswith("UBP")
    assert len(reference) == 13
    date = f"{day}/{month}/{year}"
    assert response == {
        "PaymentDate": date,
        "Status": f"- No authorisation necessary <BR>- Payment/Transfer effective date {date}",
        "BeneficiaryName": "thank you",
        "BeneficiaryAccountId": to,
        "AuthorisationRequired": False,
    }
    await play.assume(nested_responses=True)
    data = (await caller.pay(item(to, myReference="P-2"))).json()["data"]
    assert len(data["transferResponse"]["TransferResponses"]) == 1


async def test_it_is_pending_and_posted_later(play: Play, caller: Caller) -> None:
    await play.assume(debit_description="mine-and-theirs", payment_settles_s=1000)
    await caller.pay(item(await play.beneficiary("Thandi"), fasterPayment=True))
    pending = (await caller.rows(includePending="true"))[0]
    assert (pending["status"], pending["amount"]) == ("PENDING", 10.12)
    assert (await caller.data(f"{ACCOUNT}/balance"))["availableBalance"] == 989.88
    await play.advance(1000)
    debit, _ = await caller.rows()
    assert (debit["description"], debit["transactionType"]) == ("PAYOUT-1 thank you", "FasterPay")
    assert debit["runningBalance"] == 989.88


async def test_how_long_it_is_pending_and_what_is_left_of_its_reference(
    play: Play, caller: Caller
) -> None:
    await play.assume(payment_settles_s=3600, reference_length=8)
    await caller.pay(item(await play.beneficiary("Thandi"), myReference="PAYOUT-ABCDEF"))
    assert len(await caller.rows()) == 1
    await play.advance(3600)
    caller = await admitted(play)
    assert len(await caller.rows()) == 2
    assert (await caller.rows())[0]["description"] == "PAYOUT-A"


@pytest.mark.parametrize("manner", ["error-message", "bad-request", "response"])
@pytest.mark.parametrize("why", ["never_paid", "insufficient_funds"])
async def test_three_manners_of_refusing(play: Play, caller: Caller, manner: str, why: str) -> None:
    await play.assume(**{why: manner})
    never = why == "never_paid"
    to = await play.beneficiary("Thandi", **({"paid": None} if never else {}))
    answer = await caller.pay(item(to, amount="1.00" if never else "1000.01"))
    words = "online banking" if never else "Insufficient funds"
    if manner == "bad-request":
        assert answer.status_code == 400
        assert words in answer.json()
    elif manner == "error-message":
        assert responses(answer) == []
        assert words in answer.json()["data"]["ErrorMessage"]
    else:
        (response,) = responses(answer)
        assert response["PaymentReferenceNumber"] is None
        assert words in response["Status"]
    assert await play.payments() == []
    assert len(await caller.rows(includePending="true")) == 1


async def test_what_is_paid_by_hand_can_be_paid_from_then_on(play: Play, caller: Caller) -> None:
    to = await play.beneficiary("Thandi", paid=None)
    assert (await caller.pay(item(to))).status_code == 400
    again = {"beneficiaryId": to, "name": "Thandi", "accountNumber": "1", "lastPaid": "2026-01-05"}
    await play.post("beneficiaries", again)
    assert len(responses(await caller.pay(item(to)))) == 1
    (listed,) = await caller.data("/za/pb/v1/accounts/beneficiaries")
    today = (await play.state())["today"]
    assert listed["lastPaymentDate"] == "/".join(reversed(today.split("-")))
    assert listed["lastPaymentAmount"] == "10.12"
    assert listed.keys() == {
        *("beneficiaryId", "accountNumber", "code", "bank", "beneficiaryName"),
        *("lastPaymentAmount", "lastPaymentDate", "cellNo", "emailAddress", "name"),
        *("referenceAccountNumber", "referenceName", "categoryId", "profileId"),
        "fasterPaymentAllowed",
    }


async def test_categories_need_a_profile(play: Play, caller: Caller) -> None:
    path = "/za/pb/v1/accounts/beneficiarycategories"
    assert (await caller.ask(path)).status_code == 400
    (category,) = await caller.data(path, profileId="10163189587443")
    assert category.keys() == {"CategoryId", "DefaultCategory", "CategoryName"}


async def test_fifty_items_and_no_more(play: Play, caller: Caller) -> None:
    to = await play.beneficiary("Thandi")
    items = [item(to, amount="1", myReference=f"P-{n}") for n in range(51)]
    assert (await caller.pay(*items)).status_code == 400
    assert await play.payments() == []
    assert len(responses(await caller.pay(*items[:50]))) == 50


@pytest.mark.parametrize(
    ("how", "taken"),
    [("stops", ["P-0"]), ("goes-on", ["P-0", "P-2"]), ("all-or-none", [])],
)
async def test_what_becomes_of_the_rest_of_a_list(
    play: Play, caller: Caller, how: str, taken: list[str]
) -> None:
    await play.assume(rest_of_list=how, insufficient_funds="error-message")
    to = await play.beneficiary("Thandi")
    amounts = ("1", "5000", "2")
    items = [item(to, amount=a, myReference=f"P-{n}") for n, a in enumerate(amounts)]
    answer = await caller.pay(*items)
    assert len(responses(answer)) == len(taken)
    assert answer.json()["data"]["ErrorMessage"]
    assert sorted(each["mine"] for each in await play.payments()) == taken


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": 10.12},
        {"amount": "10.123"},
        {"amount": "0.00"},
        {"amount": "-1"},
        {"amount": "1e3"},
        {"myReference": ""},
        {"theirReference": None},
        {"authPeriodId": "soon"},
        {"unknown": "member"},
        {"beneficiaryId": "nobody"},
    ],
)
async def test_items_that_are_none(play: Play, caller: Caller, wrong: dict[str, Any]) -> None:
    to = await play.beneficiary("Thandi")
    refused = await caller.pay({**item(to), **wrong})
    assert refused.status_code == 400
    assert isinstance(refused.json(), str)
    assert await play.payments() == []


@pytest.mark.parametrize("body", [{}, [], {"paymentList": []}, {"paymentsList": [{}]}])
async def test_bodies_that_are_none(play: Play, caller: Caller, body: object) -> None:
    assert (await caller.order(f"{ACCOUNT}/paymultiple", body)).status_code == 400


async def test_twice_asked_is_twice_paid_unless_it_is_otherwise(play: Play, caller: Caller) -> None:
    to = await play.beneficiary("Thandi")
    for _ in range(2):
        assert len(responses(await caller.pay(item(to)))) == 1
    await play.assume(twins="refused")
    answer = await caller.pay(item(to))
    assert (answer.status_code, responses(answer)) == (200, [])
    await play.assume(twin_refused="bad-request")
    assert (await caller.pay(item(to))).status_code == 400
    assert len(await play.payments()) == 2
    await play.advance(86_400)
    caller = await admitted(play)
    assert len(responses(await caller.pay(item(to)))) == 1


async def test_authorisers_have_until_the_end_of_their_days(play: Play, caller: Caller) -> None:
    path = f"/za/pb/v1/profiles/10163189587443/accounts/{play.account_id}"
    setup = await caller.data(f"{path}/authorisationsetupdetails")
    assert (setup["numberOfAuthorisationRequired"], setup["authorisersListA"]) == ("0", None)
    await play.assume(authorisation_required=True)
    setup = await caller.data(f"{path}/authorisationsetupdetails")
    assert setup["period"][0] == {"id": "1", "description": "1 Working day"}
    first, second = (setup[f"authorisersList{each}"][0]["authoriserId"] for each in "AB")
    chosen = {"authoriserAId": first, "authoriserBId": second, "authPeriodId": "0"}
    (response,) = responses(await caller.pay(item(await play.beneficiary("Thandi"), **chosen)))
    assert response["AuthorisationRequired"] is True
    assert response["Status"].startswith("- Authorisation required <BR>")
    assert len(await caller.rows(includePending="true")) == 1
    await play.advance(86_400)
    assert [each["state"] for each in await play.payments()] == ["LAPSED"]
    refused = await play.http.post(
        f"/simulator/payments/{response['PaymentReferenceNumber']}", json={"what": "approve"}
    )
    assert refused.status_code == 400


async def test_authorisers_have_a_while_where_nobody_says(play: Play, caller: Caller) -> None:
    await play.assume(authorisation_required=True, authorisation_lapses_s=1000)
    to = await play.beneficiary("Thandi")
    (first,) = responses(await caller.pay(item(to)))
    await play.advance(500)
    await play.decide(first["PaymentReferenceNumber"], "approve")
    assert len(responses(await caller.pay(item(to)))) == 1
    await play.advance(1000)
    assert [each["state"] for each in await play.payments()] == ["TAKEN", "LAPSED"]


@pytest.mark.parametrize(
    ("named", "words"), [("mine", "RETURNED PAYOUT-1"), ("neither", "RETURNED")]
)
async def test_a_payment_comes_back(play: Play, caller: Caller, named: str, words: str) -> None:
    await play.assume(return_description=named)
    (response,) = responses(await caller.pay(item(await play.beneficiary("Thandi"))))
    await play.decide(response["PaymentReferenceNumber"], "return")
    back, debit, _ = await caller.rows()
    assert (back["type"], back["amount"], back["description"]) == ("CREDIT", 10.12, words)
    assert (debit["type"], debit["postedOrder"]) == ("DEBIT", 13001)


async def test_a_payment_fails_before_it_is_posted(play: Play, caller: Caller) -> None:
    await play.assume(payment_settles_s=1000)
    (response,) = responses(await caller.pay(item(await play.beneficiary("Thandi"))))
    await play.decide(response["PaymentReferenceNumber"], "fail")
    await play.advance(1000)
    assert len(await caller.rows(includePending="true")) == 1
    assert (await caller.data(f"{ACCOUNT}/balance"))["availableBalance"] == 1000


@pytest.mark.parametrize("version", [1, 2])
async def test_own_accounts_pay_each_other(play: Play, caller: Caller, version: int) -> None:
    other = "33534315747101631895"
    await play.post("accounts", {"accountId": other})
    moved = item("-", amount="10")
    del moved["beneficiaryId"]
    body: dict[str, Any] = {"transferList": [{**moved, "beneficiaryAccountId": other}]}
    if version == 1:
        path = "/za/pb/v1/accounts/transfermultiple"
        body["accountId"] = play.account_id
    else:
        path = f"{ACCOUNT}/transfermultiple"
    assert len(responses(await caller.order(path, body))) == 1
    await play.advance(3)
    (credit,) = (await caller.data(f"/za/pb/v1/accounts/{other}/transactions"))["transactions"]
    assert (credit["type"], credit["description"], credit["amount"]) == ("CREDIT", "thank you", 10)
    debit, _ = await caller.rows()
    assert (debit["description"], debit["transactionType"]) == ("PAYOUT-1", None)


async def test_documents_are_listed_and_are_pdf(play: Play, caller: Caller) -> None:
    path = f"{ACCOUNT}/documents"
    assert (await caller.ask(path, fromDate="2026-01-01")).status_code == 400
    found = await caller.data(path, fromDate="2026-01-01", toDate="2026-03-15")
    assert [each["documentDate"] for each in found] == ["2026-03-01", "2026-02-01", "2026-01-01"]
    document = await caller.ask(f"{ACCOUNT}/document/Statement/2026-03-01")
    assert document.headers["content-type"] == "application/pdf"
    assert document.content.startswith(b"%PDF-")
