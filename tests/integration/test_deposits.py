"""From the bank's statement to somebody's wallet, with the product's own parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bank.lines import API, Fetched
from bank.storing import Overtaken, store
from gateway import bank_schemas as schemas
from gateway.schemas import Schema
from tests.integration.banks import Branch, branch, of
from tests.polling import eventually, until
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        yield ready


async def page(town: Branch, path: str, schema: type[Schema], **query: Any) -> list[Any]:
    """The items, which are as documented."""
    found = await town.running.get(path, **query)
    schema.model_validate(found)
    items: list[Any] = found["items"]
    return items


async def test_a_deposit_finds_its_wallet(town: Branch) -> None:
    await town.running.wallet("alice-01")
    reference = await town.reference("alice-01")
    await town.play.credit(100_00, f"eft {reference[:4]} {reference[4:].lower()}. may")
    await town.play.credit(50_00, "who knows")
    await town.play.credit(1_50, "MONTHLY FEE", type="DEBIT")
    async with town.bank():
        rows = await town.booked(3)
        assert of(rows, "purpose") == [("INSIDE",), ("NOTHING_FOUND",), ("BANK_CHARGE",)]
        assert await town.balance("alice-01") == Decimal(100)
        assert await town.suspense() == Decimal(50)
        assert await town.charges() == Decimal("-1.50")
        assert await town.control() == Decimal("-148.50")
    await town.assert_ties()
    assert await town.exceptions() == []
    shown = await page(town, "/v1/bank/rows", schemas.BankRowPage, limit=2)
    assert [(row["direction"], row["amount"]) for row in shown] == [
        ("DEBIT", "1.50"),
        ("CREDIT", "50.00"),
    ]
    (account,) = await page(town, "/v1/bank/accounts", schemas.BankAccountPage)
    assert account["openingBalance"] == "0.00"


async def test_equal_deposits_are_all_real_and_none_is_booked_twice(town: Branch) -> None:
    await town.running.wallet("alice-01")
    await town.play.credit(10_00, await town.reference("alice-01"), times=5)
    async with town.bank():
        await town.booked(5)
        assert (await town.fetch())["new"] == 0
    async with town.bank():
        schemas.FetchSchema.model_validate(await town.fetch())
    assert await town.balance("alice-01") == Decimal(50)
    await town.assert_ties()


async def test_rows_that_are_not_settled_wait(town: Branch) -> None:
    (pending,) = await town.play.credit(10_00, "later", settles="later")
    (unnumbered,) = await town.play.credit(20_00, "soon", settles="unnumbered")
    async with town.bank():
        assert (await town.fetch())["new"] == 0
        await town.play.change(unnumbered, "settle")
        assert (await town.fetch())["new"] == 1
        await town.play.change(pending, "settle")
        assert (await town.fetch())["new"] == 1
        await town.booked(2)
    assert await town.suspense() == Decimal(30)
    await town.assert_ties()


async def test_a_row_whose_number_changes_is_told_and_not_booked_again(town: Branch) -> None:
    (row_id,) = await town.play.credit(10_00, "rent")
    async with town.bank():
        await town.booked(1)
        await town.play.change(row_id, "renumber")
        assert (await town.fetch())["new"] == 0
        assert (await town.fetch())["exceptions"] == 0
    assert await town.exceptions() == [("MOVED", False)]
    assert await town.suspense() == Decimal(10)
    await town.assert_ties()
    (moved,) = await page(town, "/v1/bank/exceptions", schemas.BankExceptionPage)
    await town.post(
        "bank",
        f"/v1/bank/exceptions/{moved['exceptionId']}/resolutions",
        {"resolution": "ACKNOWLEDGED", "reason": "seen"},
        200,
    )
    assert await page(town, "/v1/bank/exceptions", schemas.BankExceptionPage) == []


async def test_a_wallet_that_is_closed_sends_its_deposit_to_suspense(town: Branch) -> None:
    alice = await town.running.wallet("alice-01")
    reference = await town.reference("alice-01")
    closed = await town.http.patch(f"/v1/wallets/{alice}", json={"status": "CLOSED"})
    assert closed.status_code == 200
    await town.play.credit(10_00, reference)
    async with town.bank():
        (row,) = await town.booked(1)
    assert (row["purpose"], row["matched_by"]) == ("WALLET_REFUSED", reference)
    (item,) = await page(town, "/v1/suspense", schemas.SuspensePage)
    assert item["suggestions"] == [{"walletId": alice, "why": "CANDIDATE"}]
    await town.assert_ties()


async def test_two_references_are_none(town: Branch) -> None:
    first, second = await town.running.wallet("alice-01"), await town.running.wallet("bob-0001")
    both = f"{await town.reference('alice-01')} {await town.reference('bob-0001')}"
    await town.play.credit(10_00, both)
    async with town.bank():
        await town.booked(1)
    (item,) = await page(town, "/v1/suspense", schemas.SuspensePage)
    assert item["purpose"] == "SEVERAL_WALLETS"
    assert {each["walletId"] for each in item["suggestions"]} == {first, second}


async def test_a_row_that_no_bank_could_mean_is_told_and_keeps_nothing_waiting(
    town: Branch,
) -> None:
    await town.play.assume(dates_mean="transaction")
    await town.play.credit(10_00, "the last day of all", postingDate="9999-12-31")
    await town.play.credit(20_00, "today")
    async with town.bank():
        assert (await town.fetch())["problem"] is None
        await town.booked(1)
    assert await town.exceptions() == [("UNREADABLE", False)]
    assert await town.suspense() == Decimal(20)
    await town.assert_ties()


async def test_an_account_that_cannot_be_read_keeps_no_other_waiting(town: Branch) -> None:
    """Not even by a defect of ours."""
    await town.play.post("accounts", {"accountId": "777000777"})
    async with town.bank():

        async def both() -> bool:
            return bool(await town.owner.fetchval("SELECT count(*) = 2 FROM bank_accounts"))

        await eventually(both)
        broken = town.play.account_id
        await town.owner.execute(
            "UPDATE bank_accounts SET currency = 'XXX' WHERE account_id = $1", broken
        )
        await town.play.credit(5_00, "who knows", accountId="777000777")
        for account in (broken, "777000777"):
            await town.post("bank", "/v1/bank/fetches", {"accountId": account}, 202)
        await town.booked(1)
        ended = "SELECT problem FROM bank_fetches WHERE account_id = $1 AND problem IS NOT NULL"

        async def told() -> Any:
            return await town.owner.fetchval(ended, broken)

        assert "UnknownCurrency" in await eventually(told)


async def test_an_account_that_is_refused_keeps_no_other_from_being_followed(
    town: Branch,
) -> None:
    await town.play.post("accounts", {"accountId": "777000777"})
    await town.play.fault(kind="status", route="balance", status=404)
    async with town.bank():

        async def followed() -> list[str]:
            found = await town.owner.fetch("SELECT account_id FROM bank_accounts ORDER BY created")
            return [each["account_id"] for each in found] if len(found) == 2 else []

        assert await eventually(followed) == ["777000777", town.play.account_id]


async def test_an_account_that_is_named_and_not_shown_is_a_problem(town: Branch) -> None:
    named = f"777000777,{town.play.account_id}"
    async with town.bank(bank_accounts=named) as bank:
        await town.followed()
        problem = await until(lambda: bank.report()["problems"].get("accounts"))
        assert problem == "Unavailable: the bank shows no account 777000777"


async def test_an_answer_that_comes_late_changes_nothing(town: Branch) -> None:
    """A process was frozen over it, and another one has stored a later one meanwhile."""
    async with town.bank():
        await town.followed()
        asked = await town.owner.fetchval("SELECT clock_timestamp()")
        await town.play.credit(10_00, "who knows")
        await town.fetch()
        await town.booked(1)
    early = Fetched(API, date(2020, 1, 1), date(2100, 1, 1), ())
    with pytest.raises(Overtaken):
        async with town.owner.transaction():
            await store(town.owner, town.play.account_id, early, asked)
    (row,) = await town.rows()
    assert row["vanished"] is None


async def test_no_deposit_goes_where_nobody_could_take_it_out(town: Branch) -> None:
    """Suspense wallets have references like any other; another account's is nobody's money."""
    await town.play.post("accounts", {"accountId": "777000777"})
    async with town.bank():

        async def followed() -> list[Any]:
            found: list[Any] = (await town.running.get("/v1/bank/accounts"))["items"]
            return [each for each in found if each["accountId"] == "777000777"]

        (other,) = await eventually(followed)
        await town.play.credit(10_00, await town.reference("bank-suspense:777000777"))
        await town.fetch()
        (row,) = await town.booked(1)
    assert row["purpose"] == "NOTHING_FOUND"
    assert await town.suspense() == Decimal(10)
    meant = {"accountId": town.play.account_id, "walletId": other["suspenseWalletId"]}
    days = {"firstDay": "2020-01-01", "lastDay": "2100-01-01"}
    for path, body in (
        ("/v1/bank/aliases", {**meant, "alias": "Naidoo rent"}),
        ("/v1/bank/expected-payments", {**meant, "amount": "10.00", **days}),
    ):
        found = await town.post("bank", path, body, 422)
        assert found["errors"][0]["pointer"] == "/walletId"
    await town.assert_ties()


async def test_aliases_and_expected_payments(town: Branch) -> None:
    async with town.bank():
        await town.followed()
        alice = await town.running.wallet("alice-01")
        account = {"accountId": town.play.account_id, "walletId": alice}
        alias = await town.post("bank", "/v1/bank/aliases", {**account, "alias": "Naidoo rent"})
        schemas.AliasSchema.model_validate(alias)
        assert alias["status"] == "AWAITING_APPROVAL"
        await town.play.credit(10_00, "from NAIDOO, rent april")
        await town.fetch()
        assert of(await town.booked(1), "purpose") == [("NOTHING_FOUND",)]
        word = f"/v1/bank/aliases/{alias['aliasId']}/approvals"
        assert (await town.post("bank", word, {}, 403))["code"] == "forbidden"
        assert (await town.post("approver", word, {}))["status"] == "IN_FORCE"
        assert (await town.post("approver", word, {}, 409))["code"] == "bank-conflict"
        again = {**account, "alias": "naidoo-RENT"}
        assert (await town.post("bank", "/v1/bank/aliases", again, 409))["code"] == "bank-conflict"
        expected = {**account, "amount": "77.00", "firstDay": "2020-01-01", "lastDay": "2100-01-01"}
        made = await town.post("bank", "/v1/bank/expected-payments", expected)
        schemas.ExpectedPaymentSchema.model_validate(made)
        await town.play.credit(10_00, "from NAIDOO, rent may")
        await town.play.credit(77_00, "no words")
        await town.fetch()
        rows = await town.booked(3)
        assert of(rows, "purpose", "matched_by")[1] == ("ALIAS", "NAIDOORENT")
        _, item = await page(town, "/v1/suspense", schemas.SuspensePage)
        assert item["suggestions"] == [{"walletId": alice, "why": "EXPECTED", "note": None}]
        await town.delete("bank", f"/v1/bank/aliases/{alias['aliasId']}")
        await town.play.credit(10_00, "from NAIDOO, rent june")
        await town.fetch()
        assert of(await town.booked(4), "purpose")[3] == ("NOTHING_FOUND",)
    await town.assert_ties()
    aliases = await page(town, "/v1/bank/aliases", schemas.AliasPage)
    expectations = await page(town, "/v1/bank/expected-payments", schemas.ExpectedPaymentPage)
    assert (aliases, len(expectations)) == ([], 1)


async def test_a_bank_that_does_not_answer_is_asked_again(town: Branch) -> None:
    await town.play.credit(10_00, "rent")
    await town.play.fault(kind="status", status=500, times=2)
    async with town.bank():
        await town.booked(1)
    await town.assert_ties()
