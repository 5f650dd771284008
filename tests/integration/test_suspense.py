"""Suspense and exceptions: what two people do about them, and what one person cannot."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from gateway import bank_schemas as schemas
from ledger import keys
from ledger.keys import Scope
from tests.integration.actions import approved, asked, exception, suspended
from tests.integration.banks import Branch, branch
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready, ready.bank():
        yield ready


async def test_a_deposit_is_allocated_to_several_wallets(town: Branch) -> None:
    row_id = await suspended(town)
    alice, bob = await town.running.wallet("alice-01"), await town.running.wallet("bob-0001")
    action = await asked(town, row_id, "ALLOCATE", (alice, "30.00"), (bob, "20"))
    (item,) = (await town.running.get("/v1/suspense"))["items"]
    assert item["openAction"]["status"] == "AWAITING_APPROVAL"
    assert await town.suspense() == Decimal(50)
    done = await approved(town, action)
    assert [each["owner"] for each in done["verdicts"]] == ["whoever has approver"]
    assert await town.balance("alice-01") == Decimal(30)
    assert await town.balance("bob-0001") == Decimal(20)
    assert await town.suspense() == 0
    assert (await town.running.get("/v1/suspense"))["items"] == []
    again = await asked(town, row_id, "ALLOCATE", (alice, "50"), expect=409)
    assert again["code"] == "bank-conflict"
    await town.assert_ties()
    listed = await town.running.get("/v1/bank/actions", status="DONE")
    schemas.BankActionPage.model_validate(listed)
    assert [each["actionId"] for each in listed["items"]] == [action["actionId"]]


async def test_it_takes_two_people(town: Branch) -> None:
    row_id = await suspended(town)
    alice = await town.running.wallet("alice-01")
    both = [Scope.BANK, Scope.APPROVER]
    one, two = [
        await keys.create(town.owner, name, both, owner=owner)
        for name, owner in (("key-1", "Thandi"), ("key-2", "thandi "))
    ]
    nobody = await keys.create(town.owner, "nobody", both)
    town.running.keys = {**town.running.keys, "one": one, "two": two, "nobody": nobody}
    body = {
        "kind": "ALLOCATE",
        "reason": "mine",
        "shares": [{"walletId": alice, "amount": "50.00"}],
    }
    path = f"/v1/suspense/{row_id}/actions"
    assert (await town.post("nobody", path, body, 403))["code"] == "same-owner"
    for scope in ("operator", "approver", "eclipse", "batch", "reader"):
        assert (await town.post(scope, path, body, 403))["code"] == "forbidden"
    action = await town.post("one", path, body)
    word = f"/v1/bank/actions/{action['actionId']}/approvals"
    for scope, code in (
        *(("one", "same-owner"), ("two", "same-owner"), ("nobody", "same-owner")),
        *(("operator", "forbidden"), ("bank", "forbidden")),
    ):
        assert (await town.post(scope, word, {}, 403))["code"] == code
    assert await town.suspense() == Decimal(50)
    await approved(town, action)
    assert (await town.post("approver", word, {}, 409))["code"] == "bank-conflict"
    assert await town.balance("alice-01") == Decimal(50)


async def test_what_cannot_be_asked_for(town: Branch) -> None:
    row_id = await suspended(town)
    alice = await town.running.wallet("alice-01")
    dollars = await town.running.wallet("alice-us", currency="USD")
    account = (await town.running.get("/v1/bank/accounts"))["items"][0]
    for shares in (
        *([], [(alice, "49.99")], [(alice, "50.01")], [(dollars, "50")], [("nobody", "50")]),
        *([(account["suspenseWalletId"], "50")], [(account["chargesWalletId"], "50")]),
        [(alice, "25"), (alice, "0.001")],
    ):
        found = await asked(town, row_id, "ALLOCATE", *shares, expect=422)
        assert found["errors"][0]["pointer"].startswith("/shares")
    for kind in ("BOOK", "RETRACT"):
        await asked(town, row_id, kind, expect=409)
    await asked(town, alice, "RETURN", expect=404)
    first = await asked(town, row_id, "ALLOCATE", (alice, "50"))
    await asked(town, row_id, "WRITE_OFF", expect=409)
    refusal = f"/v1/bank/actions/{first['actionId']}/refusals"
    refused = await town.post("bank", refusal, {"reason": "my mistake"})
    assert refused["status"] == "REFUSED"
    done = await approved(town, await asked(town, row_id, "WRITE_OFF"))
    assert done["shares"] == [{"walletId": account["chargesWalletId"], "amount": "50.00"}]
    assert (await town.suspense(), await town.charges()) == (Decimal(0), Decimal(50))
    await town.assert_ties()


async def test_an_action_that_the_ledger_refuses_has_failed(town: Branch) -> None:
    row_id = await suspended(town)
    alice = await town.running.wallet("alice-01")
    action = await asked(town, row_id, "ALLOCATE", (alice, "50"))
    closed = await town.http.patch(f"/v1/wallets/{alice}", json={"status": "CLOSED"})
    assert closed.status_code == 200
    failed = await approved(town, action, "FAILED")
    assert failed["problem"].startswith("wallet-closed")
    assert await town.suspense() == Decimal(50)
    # Its command could still be decided, had it been sent by somebody who was frozen.
    assert (await asked(town, row_id, "WRITE_OFF", expect=409))["code"] == "bank-conflict"
    await town.assert_ties()


async def test_money_goes_back_to_its_sender_when_the_bank_says_so(town: Branch) -> None:
    row_id = await suspended(town)
    action = await approved(town, await asked(town, row_id, "RETURN"), "AWAITING_BANK")
    assert await town.suspense() == Decimal(50)
    await town.play.credit(49_00, f"not {action['reference']}", type="DEBIT")
    await town.play.credit(50_00, f"back {action['reference'].lower()}", type="DEBIT")
    await town.fetch()
    rows = await town.booked(2)
    assert [row["purpose"] for row in rows[1:]] == [None, "RETURNED"]
    assert (await town.suspense(), await town.charges()) == (Decimal(0), Decimal(0))
    assert await town.exceptions() == [("PAYOUT", False)]
    await approved(town, await asked(town, str(rows[1]["row_id"]), "BOOK"))
    rows = await town.booked(3)
    assert [row["purpose"] for row in rows[1:]] == ["BANK_CHARGE", "RETURNED"]
    assert await town.exceptions() == [("PAYOUT", True)]
    assert (await town.suspense(), await town.charges()) == (Decimal(0), Decimal(-49))
    assert (await town.running.get(f"/v1/bank/actions/{action['actionId']}"))["status"] == "DONE"
    assert (await town.running.get("/v1/suspense"))["items"] == []
    await town.assert_ties()


async def test_a_return_that_was_approved_is_given_up_by_two(town: Branch) -> None:
    row_id = await suspended(town)
    action = await approved(town, await asked(town, row_id, "RETURN"), "AWAITING_BANK")
    refusals = f"/v1/bank/actions/{action['actionId']}/refusals"
    first = await town.post("bank", refusals, {"reason": "mine now"})
    assert first["status"] == "AWAITING_BANK"
    assert "another person has to agree" in first["problem"]
    assert (await town.post("bank", refusals, {}, 409))["code"] == "bank-conflict"
    # Nor is anybody two people whose name is spelt in two ways, by keys or in words of before.
    both = [Scope.BANK, Scope.APPROVER]
    same = await keys.create(town.owner, "same", both, owner=" Whoever has  BANK")
    town.running.keys = {**town.running.keys, "same": same}
    assert (await town.post("same", refusals, {}, 409))["code"] == "bank-conflict"
    await town.owner.execute("UPDATE bank_verdicts SET owner = upper(owner)")
    assert (await town.post("bank", refusals, {}, 409))["code"] == "bank-conflict"
    assert (await asked(town, row_id, "WRITE_OFF", expect=409))["code"] == "bank-conflict"
    second = await town.post("approver", refusals, {"reason": "he asked me"})
    assert second["status"] == "REFUSED"
    assert [(each["of"], each["reason"]) for each in second["verdicts"]] == [
        *(("ACTION", None), ("GIVING_UP", "mine now"), ("GIVING_UP", "he asked me"))
    ]
    assert (await town.running.get("/v1/bank/actions"))["items"] == [second]
    await town.play.credit(50_00, f"back {action['reference']}", type="DEBIT")
    await town.fetch()

    async def waits() -> bool:
        return await town.exceptions() == [("PAYOUT", False)]

    await eventually(waits, 30)
    assert (await town.suspense(), await town.charges()) == (Decimal(50), Decimal(0))


async def test_a_row_that_vanishes_is_taken_back_by_two(town: Branch) -> None:
    row_id = await suspended(town)
    (shown,) = (await town.play.state())["rows"]
    await town.play.change(shown["rowId"], "vanish")
    assert (await town.fetch())["exceptions"] == 1
    assert (await town.fetch())["exceptions"] == 0
    told = await exception(town, "VANISHED")
    assert told["rowId"] == row_id
    alice = await town.running.wallet("alice-01")
    await asked(town, row_id, "ALLOCATE", (alice, "50"), expect=409)
    await approved(town, await asked(town, row_id, "RETRACT"))
    assert (await town.suspense(), await town.control()) == (Decimal(0), Decimal(0))
    assert await town.exceptions() == [("VANISHED", True)]
    assert (await town.running.get("/v1/suspense"))["items"] == []


async def test_a_remake_of_a_vanished_row_is_held_until_people_say_what_it_is(town: Branch) -> None:
    row_id = await suspended(town)
    (shown,) = (await town.play.state())["rows"]
    await town.play.change(shown["rowId"], "vanish")
    await town.play.credit(50_00, "who knows, corrected")
    await town.fetch()
    assert await town.exceptions() == [("VANISHED", False), ("HELD", False)]
    assert await town.suspense() == Decimal(50)
    held = await exception(town, "HELD")
    assert held["otherRowId"] == row_id
    path = f"/v1/bank/exceptions/{held['exceptionId']}/resolutions"
    seen = {"resolution": "ACKNOWLEDGED", "reason": "seen"}
    assert (await town.post("bank", path, seen, 409))["code"] == "bank-conflict"
    same = {**seen, "resolution": "SAME"}
    assert (await town.post("bank", path, same, 422))["errors"][0]["pointer"] == "/resolution"
    action = await asked(town, held["rowId"], "SAME")
    assert (action["status"], action["sameAs"]) == ("AWAITING_APPROVAL", row_id)
    assert await town.exceptions() == [("VANISHED", False), ("HELD", False)]
    await approved(town, action)
    assert await town.exceptions() == [("VANISHED", True), ("HELD", True)]
    assert (await town.fetch())["exceptions"] == 0
    assert await town.suspense() == Decimal(50)
    (item,) = (await town.running.get("/v1/suspense"))["items"]
    assert (item["rowId"], item["description"]) == (row_id, "who knows, corrected")


async def test_a_remake_that_is_a_row_of_its_own_is_booked_by_two(town: Branch) -> None:
    first = await suspended(town)
    (shown,) = (await town.play.state())["rows"]
    await town.play.change(shown["rowId"], "vanish")
    await town.play.credit(50_00, "another one")
    await town.fetch()
    held = await exception(town, "HELD")
    await approved(town, await asked(town, held["rowId"], "BOOK"))
    await town.booked(2)
    assert await town.suspense() == Decimal(100)
    await approved(town, await asked(town, first, "RETRACT"))
    assert (await town.suspense(), await town.control()) == (Decimal(50), Decimal(-50))
    assert [resolved for _, resolved in await town.exceptions()] == [True, True]


async def returned(town: Branch, row_id: str) -> tuple[Any, str, int]:
    """What was asked for and is done, its debit, and that one's number at the bank."""
    action = await approved(town, await asked(town, row_id, "RETURN"), "AWAITING_BANK")
    before = len(await town.rows())
    (number,) = await town.play.credit(50_00, f"back {action['reference']}", type="DEBIT")
    await town.fetch()
    debit = (await town.booked(before + 1))[-1]
    assert debit["purpose"] == "RETURNED"
    return action, str(debit["row_id"]), number


async def test_a_return_whose_debit_was_none_waits_for_another_one(town: Branch) -> None:
    row_id = await suspended(town)
    action, debit, number = await returned(town, row_id)
    await town.play.change(number, "vanish")
    await town.fetch()
    await approved(town, await asked(town, debit, "RETRACT"))
    assert (await town.suspense(), await town.control()) == (Decimal(50), Decimal(-50))
    (item,) = (await town.running.get("/v1/suspense"))["items"]
    assert item["rowId"] == row_id
    assert item["openAction"]["status"] == "AWAITING_BANK"
    await town.play.credit(50_00, f"once more {action['reference']}", type="DEBIT")
    await town.fetch()
    assert [row["purpose"] for row in (await town.booked(3))[1:]] == ["RETURNED"] * 2
    done = await town.running.get(f"/v1/bank/actions/{action['actionId']}")
    schemas.BankActionSchema.model_validate(done)
    assert (done["status"], done["problem"]) == ("DONE", None)
    assert (await town.suspense(), await town.control()) == (Decimal(0), Decimal(0))
    assert await town.charges() == Decimal(0)


async def test_what_was_returned_and_its_debit_are_taken_back_one_after_the_other(
    town: Branch,
) -> None:
    """Else what comes back would lie in suspense, and no row would say that it does."""
    alice = await town.running.wallet("alice-01")
    await suspended(town, description=await town.reference("alice-01"))
    row_id = await suspended(town, description="not mine")
    (number,) = [
        each["rowId"]
        for each in (await town.play.state())["rows"]
        if each["description"] == "not mine"
    ]
    action, debit, paid = await returned(town, row_id)
    for each in (number, paid):
        await town.play.change(each, "vanish")
    await town.fetch()
    first = await asked(town, debit, "RETRACT")
    await asked(town, row_id, "RETRACT", (alice, "50"), expect=409)
    await town.post("bank", f"/v1/bank/actions/{first['actionId']}/refusals", {})
    gone = await asked(town, row_id, "RETRACT", (alice, "50"))
    await asked(town, debit, "RETRACT", expect=409)
    await approved(town, gone)
    assert await town.balance("alice-01") == Decimal(0)
    account = (await town.running.get("/v1/bank/accounts"))["items"][0]
    for shares in ([], [(account["suspenseWalletId"], "50")]):
        found = await asked(town, debit, "RETRACT", *shares, expect=422)
        assert found["errors"][0]["pointer"] == "/shares"
    await approved(town, await asked(town, debit, "RETRACT", (alice, "50")))
    assert await town.balance("alice-01") == Decimal(50)
    assert (await town.suspense(), await town.control()) == (Decimal(0), Decimal(-50))
    path = f"/v1/bank/actions/{action['actionId']}"
    assert (await town.running.get(path))["status"] == "DONE"


async def test_a_row_that_the_ledger_does_not_book_is_not_taken_back(town: Branch) -> None:
    """The action ends: else it would wait for a booking that may never come."""
    await town.followed()
    row_id = await town.owner.fetchval(
        "INSERT INTO bank_rows (row_id, account_id, posting_date, credit, amount_minor,"
        " description, source, vanished, wallet_id, purpose, transfer_key, decided, not_before)"
        " SELECT gen_random_uuid(), account_id, '2020-02-01', true, 100, 'gone', 'API', now(),"
        " suspense_wallet, 'NOTHING_FOUND', 'bank-row:gone', now(), now() + interval '1 hour'"
        " FROM bank_accounts RETURNING row_id"
    )
    action = await approved(town, await asked(town, str(row_id), "RETRACT"), "FAILED")
    assert "nothing to take back" in action["problem"]
