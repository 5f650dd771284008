"""Rows of the simulated bank: their forms, their order, and how they change."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.bank_caller import ACCOUNT, Caller, admitted
from tests.integration.simulated_bank import Play, simulated


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        yield playing


@pytest.fixture
async def caller(play: Play) -> Caller:
    return await admitted(play)


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
    caller = await admitted(play)
    assert len(await caller.rows()) == 1
    await play.advance(86_400)
    caller = await admitted(play)
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


async def test_other_kinds_of_account_have_their_ways(play: Play, caller: Caller) -> None:
    card = "40226100000000000000011"
    await play.post("accounts", {"accountId": card, "product": "Credit Card"})
    await play.credit(25_00, "swipe", accountId=card, type="DEBIT")
    (row,) = (await caller.data(f"/za/pb/v1/accounts/{card}/transactions"))["transactions"]
    assert (row["postedOrder"], row["uuid"]) == (13000, "")
    # What is owed is shown as more than zero.
    assert (await caller.data(f"/za/pb/v1/accounts/{card}/balance"))["currentBalance"] == 25
    await play.assume(uuid_elsewhere="made")
    (row,) = (await caller.data(f"/za/pb/v1/accounts/{card}/transactions"))["transactions"]
    assert row["uuid"].startswith("00011")
