"""Payments by the client against the simulated bank: made once or not at all, whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from bank.investec.access import Patience
from bank.investec.calls import Calls
from bank.investec.client import Investec
from bank.investec.errors import NotAdmitted, OutcomeUnknown, Refused, Unavailable
from bank.investec.records import Authorisers, Direction, Payment, Row
from tests.integration.simulated_bank import Play, client, simulated


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        yield playing


@pytest.fixture
async def bank(play: Play) -> AsyncIterator[Investec]:
    async with client(play, again_s=10.0) as connected:
        yield connected


def payment(beneficiary_id: str, amount: str = "10.50", reference: str = "PAYOUT-1") -> Payment:
    return Payment(beneficiary_id, Decimal(amount), reference, "thank you")


async def rows(bank: Investec, play: Play, *, pending: bool = False) -> list[Row]:
    today = date.fromisoformat((await play.state())["today"])
    found = await bank.transactions(play.account_id, today, today, include_pending=pending)
    return list(found.read)


async def test_a_payment_is_taken_in_and_posted_later(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    taken = await bank.pay(play.account_id, payment(to))
    assert taken.payment_reference
    assert not taken.authorisation_required
    assert [r.description for r in await rows(bank, play, pending=True)] == ["float", "PAYOUT-1"]
    await play.advance(5)
    *_, debit = await rows(bank, play)
    assert (debit.direction, debit.amount) == (Direction.DEBIT, Decimal("10.50"))
    assert debit.running_balance == Decimal("89.50")


async def test_what_the_bank_refuses(bank: Investec, play: Play) -> None:
    never = await play.beneficiary("never paid", paid=None)
    paid = await play.beneficiary("paid before")
    with pytest.raises(Refused, match="online banking"):
        await bank.pay(play.account_id, payment(never))
    with pytest.raises(Refused, match="funds"):
        await bank.pay(play.account_id, payment(paid))
    with pytest.raises(Refused, match="beneficiary is invalid"):
        await bank.pay(play.account_id, payment("nobody"))
    with pytest.raises(Refused, match="account is invalid"):
        await bank.pay("1", payment(paid))
    assert await rows(bank, play, pending=True) == []
    listed = {b.name: b.last_paid for b in await bank.beneficiaries()}
    assert listed == {"never paid": None, "paid before": date(2026, 1, 2)}


async def test_authorisers_approve_decline_or_let_it_lapse(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "float")
    await play.assume(authorisation_required=True, authorisation_lapses_s=60)
    to = await play.beneficiary("Thandi")
    taken = [await bank.pay(play.account_id, payment(to, reference=f"P-{n}")) for n in range(3)]
    assert all(each.authorisation_required for each in taken)
    await play.decide(taken[0].payment_reference, "approve")
    await play.decide(taken[1].payment_reference, "decline")
    await play.advance(120)
    assert [p["state"] for p in (await play.state())["payments"]] == ["TAKEN", "DECLINED", "LAPSED"]
    assert [row.description for row in await rows(bank, play)] == ["float", "P-0"]


@pytest.mark.parametrize("kind", ["status-after", "delay-after", "garbage-after"])
async def test_an_answer_that_is_lost_leaves_the_outcome_unknown(play: Play, kind: str) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind=kind, seconds=2 if kind == "delay-after" else 0)
    async with client(play, payment_s=0.5) as bank:
        with pytest.raises(OutcomeUnknown):
            await bank.pay(play.account_id, payment(to))
        await play.advance(5)
        # It was made, once: nobody sent it again.
        assert [row.description for row in await rows(bank, play)] == ["float", "PAYOUT-1"]


async def test_a_payment_before_which_the_bank_was_busy_is_made_once(
    bank: Investec, play: Play
) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="status", status=429, times=2)
    await bank.pay(play.account_id, payment(to))
    assert len((await play.state())["payments"]) == 1


async def test_a_server_error_on_a_payment_is_no_permission_to_repeat_it(
    bank: Investec, play: Play
) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="status", status=500)
    with pytest.raises(OutcomeUnknown):
        await bank.pay(play.account_id, payment(to))
    assert (await play.state())["payments"] == []


@pytest.mark.parametrize("kind", ["cut", "cut-after"])
async def test_a_line_that_goes_dead_leaves_the_outcome_unknown(
    bank: Investec, play: Play, kind: str
) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind=kind)
    with pytest.raises(OutcomeUnknown):
        await bank.pay(play.account_id, payment(to))
    assert len(await play.payments()) == (1 if kind == "cut-after" else 0)


@pytest.mark.parametrize("status", [400, 404, 405, 408, 409, 415, 422, 500, 502, 504])
async def test_what_says_nothing_of_a_payment(bank: Investec, play: Play, status: int) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="status-after", status=status)
    with pytest.raises(OutcomeUnknown, match=str(status)):
        await bank.pay(play.account_id, payment(to))
    assert len(await play.payments()) == 1


@pytest.mark.parametrize("manner", ["error-message", "response"])
async def test_an_answer_without_a_reference_is_no_payment_and_no_refusal(
    bank: Investec, play: Play, manner: str
) -> None:
    await play.assume(insufficient_funds=manner)
    to = await play.beneficiary("Thandi")
    with pytest.raises(OutcomeUnknown, match="Insufficient funds"):
        await bank.pay(play.account_id, payment(to))


async def test_older_answers_are_understood(bank: Investec, play: Play) -> None:
    await play.assume(nested_responses=True)
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    assert (await bank.pay(play.account_id, payment(to))).payment_reference
    with pytest.raises(Refused, match="funds"):
        await bank.pay(play.account_id, payment(to, amount="1000"))


async def test_who_may_not_pay_is_told_so(play: Play) -> None:
    await play.http.put("/simulator/scopes", json={"scopes": ["accounts", "transactions"]})
    async with client(play) as bank:
        with pytest.raises(NotAdmitted, match="403"):
            await bank.pay(play.account_id, payment("anybody"))
        assert len(await bank.accounts()) == 1


async def test_a_token_that_the_bank_forgot_is_no_reason_to_pay_twice(
    bank: Investec, play: Play
) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await bank.accounts()
    await play.http.delete("/simulator/tokens")
    await bank.pay(play.account_id, payment(to))
    assert len(await play.payments()) == 1


async def test_a_payment_waits_for_a_token_and_is_made_once(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="token", kind="status", status=503, times=2)
    await bank.pay(play.account_id, payment(to))
    assert len(await play.payments()) == 1


async def test_a_bank_that_stays_busy_has_taken_nothing_in(play: Play) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="status", status=429, times=1000)
    async with client(play, payment_again_s=0.2) as bank:
        with pytest.raises(Unavailable, match="429"):
            await bank.pay(play.account_id, payment(to))
    assert await play.payments() == []


async def test_authorisers_are_chosen_from_those_there_are(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    (account,) = await bank.accounts()
    assert account.profile_id is not None
    nobody = await bank.authorisation_setup(account.profile_id, account.account_id)
    assert (nobody.needed, nobody.first, nobody.second) == (0, (), ())
    await play.assume(authorisation_required=True)
    setup = await bank.authorisation_setup(account.profile_id, account.account_id)
    assert setup.needed == 2
    chosen = Authorisers(setup.first[0].choice_id, setup.second[0].choice_id, "0")
    asked = Payment(to, Decimal("1.00"), "P-1", "thanks", authorisers=chosen)
    assert (await bank.pay(account.account_id, asked)).authorisation_required
    await play.advance(86_400)
    assert [each["state"] for each in await play.payments()] == ["LAPSED"]


async def test_faster_payments_are_asked_for_as_such(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi", faster=True)
    (known,) = await bank.beneficiaries()
    assert known.faster_payment
    await bank.pay(play.account_id, Payment(to, Decimal(1), "P-1", "thanks", faster=True))
    await play.advance(5)
    *_, debit = await rows(bank, play)
    assert debit.transaction_type == "FasterPay"


async def test_money_moves_between_own_accounts(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "float")
    other = "33534315747101631895"
    await play.post("accounts", {"accountId": other})
    await bank.transfer(play.account_id, payment(other, amount="40"))
    with pytest.raises(Refused, match="invalid"):
        await bank.transfer(play.account_id, payment("nobody", amount="40"))
    await play.advance(5)
    assert (await bank.balance(other)).current == Decimal(40)
    assert (await bank.balance(play.account_id)).current == Decimal(60)


async def test_nobody_there_is_definite(tmp_path: Path) -> None:
    async with simulated(tmp_path) as play:
        access = play.access
    async with Investec.connected(access, Patience(payment_again_s=0.1)) as bank:
        with pytest.raises(Unavailable, match=r"nothing was sent|no token"):
            await bank.pay("1", payment("x"))


async def test_whoever_asks_is_asked_each_time_that_a_payment_leaves(
    bank: Investec, play: Play
) -> None:
    looked: list[int] = []

    async def look() -> None:
        looked.append(len(await play.payments()))

    async def object_to_it() -> None:
        raise LookupError

    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    with pytest.raises(LookupError):
        await bank.pay(play.account_id, payment(to), object_to_it)
    assert await play.payments() == []
    # Over a connection that was there before, under a token that is not good any more, after 429.
    await play.http.delete("/simulator/tokens")
    await play.fault(route="payments", kind="status", status=429)
    await bank.pay(play.account_id, payment(to), look)
    assert looked == [0, 0, 0]
    assert len(await play.payments()) == 1


async def test_a_process_that_thaws_sends_nothing_any_more(play: Play) -> None:
    async def frozen(_: float) -> None:
        await asyncio.sleep(3.2)

    await play.credit(100_00, "float")
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="status", status=429)
    patience = Patience(payment_again_s=3.0)
    async with Calls.connected(play.access, patience) as calls:
        with pytest.raises(Unavailable, match="held up"):
            await Investec(calls, patience, sleep=frozen).pay(play.account_id, payment(to))
    assert await play.payments() == []
