"""Who is let in to the simulated bank, and the forms of what it answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bank_caller import ACCOUNT, Caller, admitted, item, token
from tests.integration.simulated_bank import Play, simulated


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        yield playing


@pytest.fixture
async def caller(play: Play) -> Caller:
    return await admitted(play)


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
        caller = await admitted(play)
        assert (await caller.ask(path)).status_code == status


async def test_paying_needs_its_scope(play: Play) -> None:
    await play.http.put("/simulator/scopes", json={"scopes": ["accounts", "transactions"]})
    caller = await admitted(play)
    refused = await caller.pay(item("anybody"))
    assert (refused.status_code, refused.content) == (403, b"")


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
