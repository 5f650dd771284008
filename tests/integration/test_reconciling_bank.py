"""The tie-out with the bank: every term a line, every difference with what to do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from ledger.commands import ReverseTransfer
from ledger.kept import KEEPER
from tests.integration.banks import Branch, branch
from tests.integration.comparisons import reconciling
from tests.integration.ledger_driver import transfer
from tests.integration.tie_outs import amounts, comparisons_of, reconciled, three_rows
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with (
        branch(servers, template, tmp_path) as ready,
        reconciling(ready.database, ready.broker.url),
    ):
        yield ready


async def test_the_books_agree_with_the_bank(town: Branch) -> None:
    await town.running.wallet("bob-0001", "7.00")
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        report = await reconciled(town)
    assert (report["agrees"], report["found"]) == (True, [])
    (account,) = report["accounts"]
    assert amounts(account) == ["148.50", "0.00", "0.00", "0.00", "0.00", "148.50"]
    assert (account["unexplained"], account["inTransit"]) == ("0.00", [])
    (charge,) = account["charges"]
    assert (charge["amount"], charge["description"]) == ("-1.50", "MONTHLY FEE")
    assert account["chargesAmount"] == "-1.50"
    (zar,) = report["currencies"]
    assert zar["owed"] == "148.50"
    account_id = town.play.account_id
    assert {term["term"]: term["amount"] for term in zar["terms"]} == {
        "wallets": "107.00",
        f"bank-suspense:{account_id}": "50.00",
        f"bank-charges:{account_id}": "-1.50",
        "system-zar": "-7.00",
    }
    assert zar["unexplained"] == "0.00"
    for words in ("both sides agree", "bank balance at its last posted row", "MONTHLY FEE"):
        assert words in report["text"]


async def test_what_was_booked_later_is_in_transit(town: Branch) -> None:
    await town.running.wallet("bob-0001")
    moment = await comparisons_of(town).now()
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        report = await reconciled(town, moment)
    assert (report["agrees"], report["found"]) == (True, [])
    (account,) = report["accounts"]
    assert amounts(account) == ["148.50", "0.00", "-148.50", "0.00", "0.00", "0.00"]
    assert [each["amount"] for each in account["inTransit"]] == ["-100.00", "-50.00", "1.50"]
    assert all("booked later" in each["why"] for each in account["inTransit"])
    assert "In transit: 3" in report["text"]


async def test_what_was_held_before_is_no_difference(town: Branch) -> None:
    await town.running.wallet("alice-01")
    other = "400000000000000000000001"
    await town.play.post("accounts", {"accountId": other, "openingCents": 1_000_00})
    await town.play.credit(100_00, await town.reference("alice-01"), accountId=other)
    await town.play.credit(7_00, await town.reference("alice-01"))
    async with town.bank():
        await town.booked(2)
        report = await reconciled(town)
        alone = await reconciled(town, accountId=other)
    by_id = {each["accountId"]: each for each in report["accounts"]}
    assert by_id.keys() == {other, town.play.account_id}
    assert amounts(by_id[other])[:2] == ["1100.00", "-1000.00"]
    assert (report["agrees"], report["currencies"][0]["owed"]) == (True, "107.00")
    # Of one account alone the other's control wallet is a term like any SYSTEM wallet.
    terms = {term["term"]: term["amount"] for term in alone["currencies"][0]["terms"]}
    assert terms[f"bank-control:{town.play.account_id}"] == "-7.00"
    assert (alone["agrees"], alone["currencies"][0]["unexplained"]) == (True, "0.00")


async def test_money_that_moved_past_the_bank_is_found(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        control = f"bank-control:{town.play.account_id}"
        # By somebody who says that he is the bank process: no key can.
        moving = transfer(control, "alice-01", "9.00", "by hand-01")
        taken = await comparisons_of(town).as_somebody_else(moving, KEEPER)
        report = await reconciled(town)
        (found,) = report["found"]
        assert (found["kind"], found["externalUniqueId"]) == ("MISSING_THERE", "by hand-01")
        assert (found["rowId"], found["transferId"]) == (None, str(taken.transfer_id))
        (account,) = report["accounts"]
        assert amounts(account) == ["148.50", "0.00", "0.00", "0.00", "9.00", "157.50"]
        assert account["unexplained"] == "0.00"
        sides = (taken.to_wallet_id, taken.from_wallet_id)
        back = ReverseTransfer(taken.transfer_id, *sides, "by hand-01 back")
        await comparisons_of(town).as_somebody_else(back, KEEPER)
        assert (await reconciled(town))["agrees"]


async def test_a_row_that_vanished_is_found_until_it_is_taken_back(town: Branch) -> None:
    await town.play.assume(running_balance="recomputed")
    _, second, _ = await three_rows(town)
    async with town.bank():
        await town.booked(3)
        await town.play.change(second, "vanish")
        await town.fetch()
        report = await reconciled(town)
        kinds = [each["kind"] for each in report["found"]]
        assert "MISSING_THERE" in kinds
        (account,) = report["accounts"]
        (item,) = account["inTransit"]
        assert (item["amount"], item["description"]) == ("50.00", "who knows")
        before = await comparisons_of(town).now()
        await _retracted(town, item["rowId"])
        report = await reconciled(town)
        (account,) = report["accounts"]
        assert account["inTransit"] == []
        assert amounts(account) == ["98.50", "0.00", "0.00", "0.00", "0.00", "98.50"]
        assert (report["agrees"], report["found"]) == (True, [])
        assert (await town.suspense(), await town.control()) == (Decimal(0), Decimal("-98.50"))
        # By the moment before, what was taken back since is in transit, and no difference.
        report = await reconciled(town, before)
        (account,) = report["accounts"]
        assert amounts(account) == ["98.50", "0.00", "0.00", "50.00", "0.00", "148.50"]
        assert (report["agrees"], report["found"]) == (True, [])


async def _retracted(town: Branch, row_id: object) -> None:
    """By two people."""
    action = await town.post(
        "bank",
        f"/v1/bank/rows/{row_id}/actions",
        {"kind": "RETRACT", "reason": "the bank took it back"},
    )
    path = f"/v1/bank/actions/{action['actionId']}"
    await town.post("approver", f"{path}/approvals", {})

    async def done() -> bool:
        return bool((await town.running.get(path))["status"] == "DONE")

    await eventually(done, 30)


async def test_a_row_that_nobody_booked_is_found(town: Branch) -> None:
    """Held, because it has the amount of one that vanished."""
    _, second, _ = await three_rows(town)
    async with town.bank():
        await town.booked(3)
        await town.play.change(second, "vanish")
        await town.play.credit(50_00, "who knows, under another name")
        await town.fetch()
        report = await reconciled(town)
    missing = [each for each in report["found"] if each["kind"] == "MISSING_HERE"]
    assert [each["description"] for each in missing] == ["who knows, under another name"]
    assert "held" in report["text"]


async def test_rows_that_were_tampered_with_are_found(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        moment = await comparisons_of(town).now()
        # Nobody looks at the statement any more, which would see it too.
        await town.fetch()
        await town.owner.execute(
            "UPDATE bank_rows SET amount_minor = amount_minor + 1 WHERE purpose = 'EXACT'"
        )
        await town.owner.execute(
            "UPDATE bank_rows SET wallet_id = (SELECT wallet_id FROM wallets"
            " WHERE external_unique_id = 'alice-01') WHERE purpose = 'NOTHING_FOUND'"
        )
        report = await reconciled(town, moment)
    assert {each["kind"] for each in report["found"]} == {"AMOUNT", "WALLET", "BALANCE"}
    assert report["agrees"] is False


@pytest.mark.parametrize(
    ("silent", "term"),
    [
        ("'NOTHING_FOUND'", "bank balance at its last posted row"),
        ("'BANK_CHARGE'", "not proven: last balance told, and rows behind it"),
        (
            "'BANK_CHARGE', 'NOTHING_FOUND', 'EXACT'",
            "not proven: the statement tells no balance; sum of rows",
        ),
    ],
)
async def test_what_no_balance_proves_does_not_agree(town: Branch, silent: str, term: str) -> None:
    """As rows of statement files that have none."""
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        moment = await comparisons_of(town).now()
        await town.fetch()
        await town.owner.execute(
            f"UPDATE bank_rows SET running_minor = NULL WHERE purpose IN ({silent})"  # noqa: S608
        )
        report = await reconciled(town, moment)
    (account,) = report["accounts"]
    first = account["terms"][0]
    assert (first["term"], first["count"], first["amount"]) == (term, 3, "148.50")
    assert (account["unexplained"], account["lastRow"] is None) == ("0.00", "EXACT" in silent)
    is_proven = not term.startswith("not proven")
    assert report["agrees"] is is_proven
    assert report["differences"] == ({} if is_proven else {"NOT_PROVEN": 1})
    assert is_proven or "not proven: the statement tells no balance" in report["text"]


async def test_what_could_not_be_read_is_found_until_somebody_has_looked(town: Branch) -> None:
    await three_rows(town)
    await town.play.credit(0, "no amount")
    async with town.bank():
        await town.booked(3)
        report = await reconciled(town)
        (found,) = report["found"]
        assert (report["agrees"], found["kind"]) == (False, "UNREADABLE")
        assert "its amount is none that can be moved" in found["detail"]
        path = f"/v1/bank/exceptions/{found['exceptionId']}/resolutions"
        await town.post("bank", path, {"resolution": "ACKNOWLEDGED", "reason": "a mere note"}, 200)
        assert (await reconciled(town))["agrees"]


async def test_a_hole_in_the_balances_is_found(town: Branch) -> None:
    """The bank's later balances still count a row that it shows no more: taken back, it is open
    whether the bank or the books have too much."""
    _, second, _ = await three_rows(town)
    async with town.bank():
        rows = await town.booked(3)
        row_of = {row["purpose"]: row["row_id"] for row in rows}
        await town.play.change(second, "vanish")
        await town.fetch()
        await _retracted(town, row_of["NOTHING_FOUND"])
        report = await reconciled(town)
    assert report["differences"] == {"BALANCE": 1, "GAP": 1}
    (gap,) = [each for each in report["found"] if each["kind"] == "GAP"]
    assert gap["rowId"] == str(row_of["BANK_CHARGE"])
    assert "50.00 off" in gap["detail"]
    assert report["agrees"] is False
