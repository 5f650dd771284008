"""Payments of the simulated bank, its faults, and playing it: asked without our client."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.simulated_bank import Play, simulated
from tests.integration.test_simulated_bank import ACCOUNT, Caller, item, token


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        await playing.credit(1000_00, "float")
        yield playing


@pytest.fixture
async def caller(play: Play) -> Caller:
    return Caller(play, (await token(play)).json()["access_token"])


def responses(answer: httpx.Response) -> list[Any]:
    assert answer.status_code == 200, answer.text
    found: list[Any] = answer.json()["data"]["TransferResponses"]
    return found


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
    await play.assume(debit_description="mine-and-theirs")
    await caller.pay(item(await play.beneficiary("Thandi"), fasterPayment=True))
    pending = (await caller.rows(includePending="true"))[0]
    assert (pending["status"], pending["amount"]) == ("PENDING", 10.12)
    assert (await caller.data(f"{ACCOUNT}/balance"))["availableBalance"] == 989.88
    await play.advance(3)
    debit, _ = await caller.rows()
    assert (debit["description"], debit["transactionType"]) == ("PAYOUT-1 thank you", "FasterPay")
    assert debit["runningBalance"] == 989.88


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
    assert responses(await caller.pay(item(to))) == []
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
    await play.assume(rest_of_list=how)
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
    assert responses(await caller.pay(item(to))) == []
    assert len(await play.payments()) == 2
    await play.advance(86_400)
    caller = Caller(play, (await token(play)).json()["access_token"])
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
    (response,) = responses(await caller.pay(item(await play.beneficiary("Thandi"))))
    await play.decide(response["PaymentReferenceNumber"], "fail")
    await play.advance(60)
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


# Faults


async def test_a_burst_of_429_says_nothing_of_when(play: Play, caller: Caller) -> None:
    await play.fault(kind="status", status=429, times=2)
    for _ in range(2):
        refused = await caller.ask(f"{ACCOUNT}/balance")
        assert (refused.status_code, refused.content) == (429, b"")
        assert not {"retry-after", "ratelimit-reset"} & {name.lower() for name in refused.headers}
    assert (await caller.ask(f"{ACCOUNT}/balance")).status_code == 200


async def test_a_rate_that_nobody_publishes(play: Play, caller: Caller) -> None:
    await play.assume(most_requests_per_s=3, error_body="json")
    answers = [await caller.ask(f"{ACCOUNT}/balance") for _ in range(8)]
    assert [each.status_code for each in answers[:3]] == [200] * 3
    assert answers[-1].status_code == 429
    assert "message" in answers[-1].json()


@pytest.mark.parametrize("kind", ["cut", "cut-after"])
async def test_the_line_goes_dead(play: Play, caller: Caller, kind: str) -> None:
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind=kind)
    with pytest.raises(httpx.TransportError):
        await caller.pay(item(to))
    assert len(await play.payments()) == (1 if kind == "cut-after" else 0)


async def test_an_answer_is_late_and_the_payment_made(play: Play, caller: Caller) -> None:
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="delay-after", seconds=30)
    headers = {"Authorization": f"Bearer {caller.token}"}
    with pytest.raises(httpx.ReadTimeout):
        await play.http.post(
            f"{ACCOUNT}/paymultiple", json={"paymentList": [item(to)]}, headers=headers, timeout=0.3
        )
    assert len(await play.payments()) == 1


async def test_faults_strike_their_route_so_often(play: Play, caller: Caller) -> None:
    await play.fault(route="balance", kind="status", status=503, times=2)
    assert (await caller.ask("/za/pb/v1/accounts")).status_code == 200
    statuses = [(await caller.ask(f"{ACCOUNT}/balance")).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    await play.fault(route="balance", kind="garbage-after", times=9)
    assert (await caller.ask(f"{ACCOUNT}/balance")).text == "<html>"
    await play.http.delete("/simulator/faults")
    assert (await caller.ask(f"{ACCOUNT}/balance")).status_code == 200


# Playing


async def test_what_the_bank_has_is_kept(tmp_path: Path) -> None:
    async with simulated(tmp_path) as play:
        await play.credit(1000_00, "float")
        await play.assume(order="ascending")
        await play.advance(86_400 * 40)
        caller = Caller(play, (await token(play)).json()["access_token"])
        await caller.pay(item(await play.beneficiary("Thandi")))
        before = await play.state()
    async with simulated(tmp_path) as play:
        after = await play.state()
        for part in ("today", "assumptions", "accounts", "beneficiaries", "payments"):
            assert after[part] == before[part]
        await play.post("reset", {})
        fresh = await play.state()
        assert (fresh["rows"], fresh["payments"], fresh["beneficiaries"]) == ([], [], [])
        assert fresh["today"] != before["today"]
        assert [each["accountId"] for each in fresh["accounts"]] == [play.account_id]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "rows", {"accountId": "1", "amountCents": 1}, 404),
        ("POST", "rows", {"accountId": "1", "amountCents": -1}, 400),
        ("POST", "rows", {"accountId": "1"}, 400),
        ("POST", "rows/77", {"what": "settle"}, 404),
        ("POST", "rows/77", {"what": "burn"}, 400),
        ("POST", "payments/UBP1", {"what": "approve"}, 404),
        ("POST", "clock", {"advanceS": -1}, 400),
        ("POST", "faults", {"kind": "earthquake"}, 400),
        ("PATCH", "assumptions", {"order": "random"}, 400),
        ("PATCH", "assumptions", {"unknown": 1}, 400),
        ("PATCH", "assumptions", [], 400),
        ("PUT", "scopes", {"scopes": ["all"]}, 400),
    ],
)
async def test_what_cannot_be_played(
    play: Play, method: str, path: str, body: object, status: int
) -> None:
    answer = await play.http.request(method, f"/simulator/{path}", json=body)
    assert (answer.status_code, "error" in answer.json()) == (status, True)


async def test_assumptions_change_one_by_one_and_go_back(play: Play) -> None:
    await play.assume(order="shuffled")
    await play.assume(most_rows=5)
    assumed = (await play.state())["assumptions"]
    assert (assumed["order"], assumed["most_rows"]) == ("shuffled", 5)
    await play.http.delete("/simulator/assumptions")
    assert (await play.state())["assumptions"]["order"] == "descending"


async def test_the_bank_s_day_has_an_offset(play: Play) -> None:
    days = []
    for offset in (-12, 14):
        await play.assume(utc_offset_h=offset)
        days.append((await play.state())["today"])
    assert days[0] < days[1]
