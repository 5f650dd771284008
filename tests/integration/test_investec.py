"""The client against the simulated bank: what it reads, and what it makes of faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bank.investec.access import Access, Patience
from bank.investec.client import Investec
from bank.investec.errors import OutcomeUnknown, Refused, Unavailable
from bank.investec.records import Direction, Payment, Row
from tests.integration.simulated_bank import Play, client, simulated


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        yield playing


@pytest.fixture
async def bank(play: Play) -> AsyncIterator[Investec]:
    async with client(play, again_s=10.0) as connected:
        yield connected


async def rows(bank: Investec, play: Play, *, pending: bool = False) -> list[Row]:
    today = datetime.now(UTC).date()
    days = timedelta(days=10)
    found = await bank.transactions(
        play.account_id, today - days, today + days, include_pending=pending
    )
    assert found.unread == ()
    return list(found.read)


def payment(beneficiary_id: str, amount: str = "10.50", reference: str = "PAYOUT-1") -> Payment:
    return Payment(beneficiary_id, Decimal(amount), reference, "thank you")


async def test_a_credit_is_read_with_its_balance(bank: Investec, play: Play) -> None:
    await play.credit(100_00, "RF18 5390 0754 7034 " + "x" * 40)
    await play.credit(55, "interest")
    first, second = await rows(bank, play)
    assert (first.direction, first.amount) == (Direction.CREDIT, Decimal(100))
    assert len(first.description) == 40
    assert second.running_balance == Decimal("100.55")
    assert second.posted_order == first.posted_order + 1
    balance = await bank.balance(play.account_id)
    assert (balance.current, balance.currency) == (Decimal("100.55"), "ZAR")
    (account,) = await bank.accounts()
    assert account.account_id == play.account_id


@pytest.mark.parametrize("order", ["ascending", "descending", "shuffled"])
async def test_rows_are_in_their_order_whatever_the_bank_does(
    bank: Investec, play: Play, order: str
) -> None:
    await play.assume(order=order)
    await play.credit(1_00, "the same", times=20)
    found = [row.posted_order for row in await rows(bank, play)]
    assert found == sorted(found)


async def test_a_pending_row_is_settled_later(bank: Investec, play: Play) -> None:
    (row_id,) = await play.credit(5_00, "swipe", type="DEBIT", settles="later")
    assert await rows(bank, play) == []
    (pending,) = await rows(bank, play, pending=True)
    assert not pending.is_settled
    assert [row.amount for row in (await bank.pending(play.account_id)).read] == [Decimal(5)]
    await play.change(row_id, "settle")
    (settled,) = await rows(bank, play, pending=True)
    assert settled.is_settled
    assert settled.running_balance == Decimal(-5)


async def test_an_unnumbered_row_gets_another_uuid(bank: Investec, play: Play) -> None:
    (row_id,) = await play.credit(5_00, "soon", settles="unnumbered")
    (before,) = await rows(bank, play)
    await play.change(row_id, "settle")
    (after,) = await rows(bank, play)
    assert (before.is_settled, after.is_settled) == (False, True)
    assert before.uuid != after.uuid
    await play.change(row_id, "renumber")
    (again,) = await rows(bank, play)
    assert again.uuid != after.uuid


async def test_what_the_bank_did_is_there_after_a_restart(tmp_path: Path) -> None:
    async with simulated(tmp_path) as play:
        await play.credit(7_00, "kept")
    async with simulated(tmp_path) as play, client(play) as bank:
        assert [row.description for row in await rows(bank, play)] == ["kept"]


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


@pytest.mark.parametrize("manner", ["error-message", "bad-request"])
async def test_what_the_bank_refuses(bank: Investec, play: Play, manner: str) -> None:
    await play.assume(insufficient_funds=manner, never_paid=manner)
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


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_reading_rides_out_what_passes(bank: Investec, play: Play, status: int) -> None:
    await play.credit(1_00, "there")
    await play.fault(kind="status", status=status, times=3)
    assert len(await rows(bank, play)) == 1


async def test_patience_ends(play: Play) -> None:
    await play.fault(route="transactions", kind="status", times=1000)
    async with client(play, again_s=0.2) as bank:
        with pytest.raises(Unavailable, match="500"):
            await rows(bank, play)


async def test_a_token_that_has_run_out_is_renewed(bank: Investec, play: Play) -> None:
    await bank.accounts()
    await play.advance(1800)
    assert len(await bank.accounts()) == 1


async def test_who_is_not_known_is_refused(play: Play) -> None:
    known = play.access
    for wrong in (
        Access(known.url, "other", known.client_secret, known.api_key),
        Access(known.url, known.client_id, "other", known.api_key),
        Access(known.url, known.client_id, known.client_secret, "other"),
    ):
        async with Investec.connected(wrong) as bank:
            with pytest.raises(Refused, match="401"):
                await bank.accounts()


async def test_nobody_there_is_definite(tmp_path: Path) -> None:
    async with simulated(tmp_path) as play:
        access = play.access
    async with Investec.connected(access, Patience(again_s=0.1)) as bank:
        with pytest.raises(Unavailable):
            await bank.pay("1", payment("x"))
        with pytest.raises(Unavailable):
            await bank.accounts()
