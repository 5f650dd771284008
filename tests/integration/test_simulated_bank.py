"""The simulated bank as the bank is known to behave: asked without our client, who might share its
mistakes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.simulated_bank import Play, simulated

ACCOUNT = "/za/pb/v1/accounts/172878438321553632224"


class Caller:
    """Somebody with a token."""

    def __init__(self, play: Play, token: str = "") -> None:
        self._http = play.http
        self.token = token

    async def ask(self, path: str, **query: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self._http.get(path, params=query, headers=headers)

    async def data(self, path: str, **query: str) -> Any:
        answer = await self.ask(path, **query)
        assert answer.status_code == 200, answer.text
        return answer.json()["data"]

    async def rows(self, **query: str) -> list[Any]:
        found: list[Any] = (await self.data(f"{ACCOUNT}/transactions", **query))["transactions"]
        return found

    async def order(self, path: str, body: object) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.token}"}
        return await self._http.post(path, json=body, headers=headers)

    async def pay(self, *items: dict[str, Any]) -> httpx.Response:
        return await self.order(f"{ACCOUNT}/paymultiple", {"paymentList": list(items)})


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        yield playing


@pytest.fixture
async def caller(play: Play) -> Caller:
    return Caller(play, (await token(play)).json()["access_token"])


async def token(play: Play, **more: Any) -> httpx.Response:
    access = play.access
    known: dict[str, Any] = {
        "auth": (access.client_id, access.client_secret),
        "headers": {"x-api-key": access.api_key},
        "data": {"grant_type": "client_credentials"},
    }
    return await play.http.post("/identity/v2/oauth2/token", **{**known, **more})


def item(beneficiary_id: str, amount: str = "10.12", **more: Any) -> dict[str, Any]:
    words = {"myReference": "PAYOUT-1", "theirReference": "thank you"}
    return {"beneficiaryId": beneficiary_id, "amount": amount, **words, **more}


# Identity


async def test_a_token_is_good_for_half_an_hour(play: Play, caller: Caller) -> None:
    known = (await token(play)).json()
    assert known.keys() == {"access_token", "token_type", "expires_in", "scope"}
    assert (known["token_type"], known["expires_in"], known["scope"]) == (
        "Bearer",
        1799,
        "accounts",
    )
    assert (await caller.ask("/za/pb/v1/accounts")).status_code == 200
    await play.advance(1800)
    refused = await caller.ask("/za/pb/v1/accounts")
    assert (refused.status_code, refused.content) == (401, b"")


async def test_a_token_says_its_time_as_text_too(play: Play) -> None:
    await play.assume(expires_in="text", names_scopes="granted")
    known = (await token(play)).json()
    assert known["expires_in"] == "1799"
    assert "beneficiarypayments" in known["scope"].split()


@pytest.mark.parametrize(
    "wrong",
    [
        {"auth": ("client", "other")},
        {"auth": ("other", "secret")},
        {"headers": {"x-api-key": "other"}},
        {"headers": {}},
        {"auth": None},
    ],
)
async def test_all_three_secrets_are_needed(play: Play, wrong: dict[str, Any]) -> None:
    refused = await token(play, **wrong)
    assert (refused.status_code, refused.content) == (401, b"")


async def test_only_one_kind_of_grant_is_known(play: Play) -> None:
    refused = await token(play, data={"grant_type": "password"})
    assert (refused.status_code, refused.content) == (400, b"")


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer nobody"}, {"Authorization": "x"}])
async def test_nobody_asks_without_a_token(play: Play, header: dict[str, str]) -> None:
    refused = await play.http.get(f"{ACCOUNT}/balance", headers=header)
    assert (refused.status_code, refused.content) == (401, b"")


@pytest.mark.parametrize(
    ("scope", "path"),
    [
        ("accounts", "/za/pb/v1/accounts"),
        ("accounts", "/za/pb/v1/profiles"),
        ("balances", f"{ACCOUNT}/balance"),
        ("transactions", f"{ACCOUNT}/transactions"),
        ("transactions", f"{ACCOUNT}/pending-transactions"),
        ("beneficiarypayments", "/za/pb/v1/accounts/beneficiaries"),
        ("documents.statements", f"{ACCOUNT}/documents?fromDate=2026-01-01&toDate=2026-02-01"),
    ],
)
async def test_a_scope_opens_its_own_doors_alone(play: Play, scope: str, path: str) -> None:
    for scopes, status in (([scope], 200), (["transfers"], 403)):
        granted = await play.http.put("/simulator/scopes", json={"scopes": scopes})
        assert granted.status_code == 200
        caller = Caller(play, (await token(play)).json()["access_token"])
        assert (await caller.ask(path)).status_code == status


async def test_paying_needs_its_scope(play: Play) -> None:
    await play.http.put("/simulator/scopes", json={"scopes": ["accounts", "transactions"]})
    caller = Caller(play, (await token(play)).json()["access_token"])
    refused = await caller.pay(item("anybody"))
    assert (refused.status_code, refused.content) == (403, b"")


# Documents' forms


async def test_everything_is_in_the_same_envelope(play: Play, caller: Caller) -> None:
    for path in ("/za/pb/v1/accounts", "/za/pb/v1/profiles", f"{ACCOUNT}/balance"):
        whole = (await caller.ask(path)).json()
        assert whole.keys() == {"data", "links", "meta"}
        assert whole["links"] == {"self": f"{play.url}{path}"}
        assert whole["meta"] == {"totalPages": 1}
    await play.assume(self_link="null")
    assert (await caller.ask("/za/pb/v1/accounts")).json()["links"] == {"self": None}


async def test_accounts_and_profiles(play: Play, caller: Caller) -> None:
    await play.post("accounts", {"accountId": "33534315747101631895", "profileId": "other"})
    (account, other) = (await caller.data("/za/pb/v1/accounts"))["accounts"]
    assert account.keys() == {
        *("accountId", "accountNumber", "accountName", "referenceName", "productName"),
        *("kycCompliant", "profileId", "profileName"),
    }
    assert account["kycCompliant"] is True
    profiles = await caller.data("/za/pb/v1/profiles")
    assert [each["defaultProfile"] for each in profiles] == [True, False]
    assert await caller.data("/za/pb/v1/profiles/other/accounts") == [other]


async def test_a_balance_has_seven_members_and_numbers(play: Play, caller: Caller) -> None:
    await play.credit(28_857_76, "salary")
    await play.credit(1_00, "swipe", type="DEBIT", settles="later")
    assert await caller.data(f"{ACCOUNT}/balance") == {
        "accountId": play.account_id,
        "currentBalance": 28857.76,
        "availableBalance": 28856.76,
        "budgetBalance": 0,
        "straightBalance": 0,
        "cashBalance": 0,
        "currency": "ZAR",
    }


async def test_a_row_looks_like_the_official_one(play: Play, caller: Caller) -> None:
    await play.credit(28_857_76 + 535_00, "opening")
    await play.credit(
        535_00, "MONTHLY SERVICE CHARGE", type="DEBIT", transactionType="FeesAndInterest"
    )
    row, _ = await caller.rows()
    today = (await play.state())["today"]
    assert row == {
        "accountId": play.account_id,
        "type": "DEBIT",
        "transactionType": "FeesAndInterest",
        "status": "POSTED",
        "description": "MONTHLY SERVICE CHARGE",
        "cardNumber": "",
        "postedOrder": 13001,
        "postingDate": today,
        "valueDate": today,
        "actionDate": today,
        "transactionDate": today,
        "amount": 535,
        "runningBalance": 28857.76,
        "uuid": f"32224{today.replace('-', '')}0013001",
    }


async def test_numbers_are_numbers_and_exact(play: Play, caller: Caller) -> None:
    await play.credit(10, "ten cents")
    await play.credit(9_999_999_999_999_89, "all there is")
    text = (await caller.ask(f"{ACCOUNT}/transactions")).text
    assert '"amount":0.1,' in text
    assert '"amount":9999999999999.89,"runningBalance":9999999999999.99' in text


async def test_a_description_ends_after_forty_characters(play: Play, caller: Caller) -> None:
    await play.credit(1, "x" * 41)
    assert [row["description"] for row in await caller.rows()] == ["x" * 40]


async def test_what_is_wrong_is_said_as_a_bare_string(play: Play, caller: Caller) -> None:
    refused = await caller.ask("/za/pb/v1/accounts/1/balance")
    assert refused.status_code == 400
    assert refused.json() == "The specified account is invalid. (Parameter 'accountId')"


# Statements


async def test_rows_descend_unless_it_is_otherwise(play: Play, caller: Caller) -> None:
    await play.credit(1_00, "the same", times=30)
    orders = [row["postedOrder"] for row in await caller.rows()]
    assert orders == sorted(orders, reverse=True)
    await play.assume(order="ascending")
    assert [row["postedOrder"] for row in await caller.rows()] == sorted(orders)
    await play.assume(order="shuffled")
    shuffled = [row["postedOrder"] for row in await caller.rows()]
    assert sorted(shuffled) == sorted(orders)
    assert shuffled not in (orders, sorted(orders))


async def test_identical_rows_of_one_day_differ_in_number_and_balance(
    play: Play, caller: Caller
) -> None:
    await play.credit(1_00, "the same", times=3)
    rows = await caller.rows()
    alike = {(row["description"], row["amount"], row["postingDate"]) for row in rows}
    assert len(alike) == 1
    assert [row["runningBalance"] for row in rows] == [3, 2, 1]
    assert len({row["uuid"] for row in rows}) == 3


@pytest.mark.parametrize(
    ("how", "member"), [("blank", {"uuid": ""}), ("null", {"uuid": None}), ("missing", {})]
)
async def test_pending_rows_have_nulls(
    play: Play, caller: Caller, how: str, member: dict[str, Any]
) -> None:
    await play.assume(pending_uuid=how, pending_order="null")
    await play.credit(5_00, "swipe", type="DEBIT", settles="later", transactionType="CardPurchases")
    assert await caller.rows() == []
    (row,) = await caller.rows(includePending="true")
    nulls = ("cardNumber", "postingDate", "valueDate", "actionDate", "transactionType")
    assert [row[name] for name in nulls] == [None] * len(nulls)
    assert (row["status"], row["postedOrder"], row["runningBalance"]) == ("PENDING", None, None)
    assert {name: row[name] for name in row if name == "uuid"} == member


@pytest.mark.parametrize("name", ["transactions", "PendingTransaction"])
async def test_the_list_of_pending_rows_has_two_names(
    play: Play, caller: Caller, name: str
) -> None:
    await play.assume(pending_list=name)
    await play.credit(5_00, "swipe", type="DEBIT", settles="later")
    data = await caller.data(f"{ACCOUNT}/pending-transactions")
    (row,) = data[name]
    members = {"accountId", "type", "status", "description", "transactionDate", "amount"}
    assert row.keys() == members


async def test_a_row_is_posted_without_a_number_first(play: Play, caller: Caller) -> None:
    (row_id,) = await play.credit(5_00, "soon", settles="unnumbered")
    (before,) = await caller.rows()
    assert (before["status"], before["postedOrder"]) == ("POSTED", 0)
    assert (await caller.data(f"{ACCOUNT}/balance"))["currentBalance"] == 0
    await play.assume(unnumbered_in_balance=True)
    assert (await caller.data(f"{ACCOUNT}/balance"))["currentBalance"] == 5
    await play.change(row_id, "settle")
    (after,) = await caller.rows()
    assert after["postedOrder"] == 13000
    assert before["uuid"] != after["uuid"]
    assert (await caller.data(f"{ACCOUNT}/balance"))["currentBalance"] == 5


async def test_a_row_goes_all_the_way(play: Play, caller: Caller) -> None:
    (row_id,) = await play.credit(5_00, "slowly", settles="later")
    seen = []
    for what in ("post", "settle"):
        seen += [row["status"] for row in await caller.rows(includePending="true")]
        await play.change(row_id, what)
    assert seen == ["PENDING", "POSTED"]
    assert [row["postedOrder"] for row in await caller.rows()] == [13000]


async def test_a_row_settles_by_itself_in_its_time(play: Play, caller: Caller) -> None:
    await play.assume(credit_settles_s=60)
    await play.credit(5_00, "slowly")
    assert await caller.rows() == []
    await play.advance(61)
    assert len(await caller.rows()) == 1


async def test_a_row_is_posted_long_after_its_day(play: Play, caller: Caller) -> None:
    today = date.fromisoformat((await play.state())["today"])
    long_ago = (today - timedelta(days=12)).isoformat()
    await play.credit(5_00, "late", transactionDate=long_ago)
    (row,) = await caller.rows(fromDate=today.isoformat())
    assert (row["postingDate"], row["transactionDate"]) == (today.isoformat(), long_ago)
    await play.assume(dates_mean="transaction")
    assert await caller.rows(fromDate=today.isoformat()) == []
    assert len(await caller.rows(fromDate=long_ago, toDate=long_ago)) == 1


async def test_a_row_is_put_into_a_day_that_is_over(play: Play, caller: Caller) -> None:
    today = date.fromisoformat((await play.state())["today"])
    yesterday = (today - timedelta(days=1)).isoformat()
    await play.credit(1_00, "today")
    await play.credit(5_00, "backdated", postingDate=yesterday)
    (row,) = await caller.rows(toDate=yesterday)
    assert (row["description"], row["postedOrder"], row["runningBalance"]) == (
        "backdated",
        13001,
        6,
    )
    await play.assume(running_balance="recomputed")
    (row,) = await caller.rows(toDate=yesterday)
    assert row["runningBalance"] == 5


async def test_rows_are_reversed_renumbered_rewritten_and_vanish(
    play: Play, caller: Caller
) -> None:
    (row_id,) = await play.credit(5_00, "mistake")
    await play.change(row_id, "reverse")
    reversal, _ = await caller.rows()
    assert (reversal["type"], reversal["description"]) == ("DEBIT", "REVERSAL mistake")
    assert reversal["runningBalance"] == 0
    await play.change(row_id, "renumber")
    row, _ = await caller.rows()
    assert (row["description"], row["postedOrder"]) == ("mistake", 13002)
    assert row["uuid"].endswith("0013002")
    await play.change(row_id, "rewrite", amountCents=7_00, description="another")
    row, _ = await caller.rows()
    assert (row["amount"], row["description"], row["postedOrder"]) == (7, "another", 13002)
    assert (await caller.data(f"{ACCOUNT}/balance"))["currentBalance"] == 2
    await play.change(row_id, "vanish")
    assert [row["description"] for row in await caller.rows()] == ["REVERSAL mistake"]
    assert (await caller.data(f"{ACCOUNT}/balance"))["currentBalance"] == -5


@pytest.mark.parametrize("how", ["as-posted", "recomputed"])
async def test_what_becomes_of_later_balances(play: Play, caller: Caller, how: str) -> None:
    await play.assume(order="ascending", running_balance=how)
    first, _, _ = [(await play.credit(1_00, text))[0] for text in ("a", "b", "c")]
    await play.change(first, "vanish")
    balances = [row["runningBalance"] for row in await caller.rows()]
    assert balances == ([2, 3] if how == "as-posted" else [1, 2])


async def test_without_dates_180_days_are_meant(play: Play, caller: Caller) -> None:
    await play.credit(1_00, "then")
    await play.advance(180 * 86_400)
    assert (await caller.ask(f"{ACCOUNT}/transactions")).status_code == 401
    caller = Caller(play, (await token(play)).json()["access_token"])
    assert len(await caller.rows()) == 1
    await play.advance(86_400)
    caller = Caller(play, (await token(play)).json()["access_token"])
    assert await caller.rows() == []


@pytest.mark.parametrize(
    "query",
    [
        {"fromDate": "spring"},
        {"toDate": "2026-02-30"},
        {"fromDate": "2026-02-02", "toDate": "2026-02-01"},
    ],
)
async def test_dates_that_are_none(play: Play, caller: Caller, query: dict[str, str]) -> None:
    refused = await caller.ask(f"{ACCOUNT}/transactions", **query)
    assert refused.status_code == 400
    assert isinstance(refused.json(), str)
    await play.assume(bad_dates="ignored")
    await caller.rows(**query)


async def test_a_type_and_a_limit_on_days_and_rows(play: Play, caller: Caller) -> None:
    await play.credit(1_00, "eft", times=3)
    await play.credit(1_00, "fee", type="DEBIT", transactionType="FeesAndInterest")
    (fee,) = await caller.rows(transactionType="FeesAndInterest")
    assert fee["description"] == "fee"
    await play.assume(most_rows=3)
    whole = (await caller.ask(f"{ACCOUNT}/transactions")).json()
    assert (len(whole["data"]["transactions"]), whole["meta"]) == (3, {"totalPages": 2})
    await play.assume(most_days=31)
    days = {"fromDate": "2026-01-01", "toDate": "2026-02-01"}
    assert (await caller.ask(f"{ACCOUNT}/transactions", **days)).status_code == 400
