"""Payouts while the bank, the process and the gateway fail: nobody is paid twice, no held money is
free too early, and what has left the bank is booked."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from bank.payouts import orders
from bank.payouts.approvals import Person
from bank.payouts.orders import Order, Payee
from bank.services import ACTOR
from ledger.commands import ReleaseSession
from ledger.database import banker_pool
from ledger.kept import KEEPER
from ledger.outcomes import ReservationPlaced, ReservationsReleased
from producers.commands import Answered
from tests.databases import Database
from tests.faults.payout_process import approved, payments, process, working
from tests.integration.gateways import code
from tests.integration.payout_town import PAYEE, Town, town
from tests.integration.processes import Broker, producing
from tests.polling import eventually


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    """Without a bank process: tests start their own, and kill it."""
    async with town(database, broker, tmp_path, bank=False) as found:
        yield found


@pytest.mark.parametrize("fault", ["status-after", "garbage-after"])
async def test_the_bank_pays_and_does_not_say_so(here: Town, tmp_path: Path, fault: str) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        await here.play.assume(payment_settles_s=1000)
        await here.play.fault(route="payments", kind=fault, status=504)
        payout = await approved(here, "escrow-01", "10.00")
        unknown = await here.becomes(payout, "UNKNOWN")
        assert await here.balance(wallet) == ("10.00", "0.00")
        assert code(await here.say(payout, "resumptions", "anna")) == (409, "payout-conflict")
        assert await payments(here) == [unknown["myReference"]]
    # Neither does whoever takes over ask again: it looks for the row.
    async with process(here, tmp_path / "second.log"):
        await here.play.advance(2000)
        await here.becomes(payout, "SETTLED")
        assert await payments(here) == [unknown["myReference"]]
        assert await here.balance(wallet) == ("0.00", "0.00")
        await here.tie()


async def test_paid_after_two_people_were_sure(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        await here.play.assume(payment_settles_s=1000)
        await here.play.fault(route="payments", kind="status-after", status=500)
        payout = await approved(here, "escrow-01", "10.00")
        await here.becomes(payout, "UNKNOWN")
        await here.said(payout, "cancellations", "anna", "UNKNOWN")
        await here.said(payout, "approvals", "ben", "REJECTED", of="GIVING_UP")
        await here.available(wallet, "10.00")
        # The wallet spends it, and then the bank's row appears all the same.
        await here.running.paid("escrow-01", "system-zar", "4.00", "spent-0001")
        await here.play.advance(2000)

        async def is_told() -> list[str]:
            found = await here.owner.fetch(
                "SELECT kind FROM sov.bank_exceptions WHERE resolved IS NULL ORDER BY kind"
            )
            kinds = [row["kind"] for row in found]
            return kinds if len(kinds) == 2 else []

        assert await eventually(is_told, 30) == ["PAYOUT", "REFUSED"]

        async def has_problem() -> bool:
            return "insufficient-funds" in str((await here.get(payout))["problem"])

        await eventually(has_problem)
        assert (await here.get(payout))["status"] == "REJECTED"
        listed = await here.running.get("/v1/payouts", problem="true")
        assert [item["payoutId"] for item in listed["items"]] == [payout["payoutId"]]
        # The money that has left is booked as soon as the wallet has it.
        await here.running.paid("system-zar", "escrow-01", "4.00", "given-0001")
        await here.owner.execute("UPDATE sov.bank_rows SET not_before = NULL")
        settled = await here.becomes(payout, "SETTLED")
        assert settled["problem"] is None
        assert await here.balance(wallet) == ("0.00", "0.00")
        await here.tie()


async def lose_reservation(here: Town, wallet: str, session_id: str) -> None:
    """As nobody can but a defect of the bank process: an operator is told that it is kept."""
    released = await here.running.http.delete(
        f"/v1/wallets/{wallet}/reservations", params={"sessionId": session_id}
    )
    assert code(released) == (409, "wallet-frozen")
    command = ReleaseSession(UUID(wallet), session_id)
    async with producing(here.database, here.broker.url) as producer:
        answer = await producer.commands.ask(command, actor=ACTOR, wait_s=10)
    assert isinstance(answer, Answered)
    assert isinstance(answer.outcome.result, ReservationsReleased)


async def test_a_reservation_that_is_lost(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        payout = await approved(here, "escrow-01", "10.00")
        await here.becomes(payout, "AWAITING_BANK")
        await lose_reservation(here, wallet, payout["sessionId"])
        await here.play.advance(10)
        await here.becomes(payout, "SETTLED")
        assert await here.balance(wallet) == ("0.00", "0.00")
        await here.tie()


async def test_what_is_not_held_any_more_is_not_asked_for(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        pass
    payout = await approved(here, "escrow-01", "10.00")
    await lose_reservation(here, wallet, payout["sessionId"])
    async with process(here, tmp_path / "second.log"):
        rejected = await here.becomes(payout, "REJECTED")
        assert "released" in rejected["reason"]
        assert await payments(here) == []


@pytest.mark.parametrize("wakes", [False, True], ids=["never", "late"])
async def test_the_banks_authorisers_let_it_lapse(here: Town, tmp_path: Path, wakes: bool) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path, SOV_BANK_AUTHORISATION_DAYS="0.00001"):
        await here.play.assume(authorisation_required=True)
        payout = await approved(here, "escrow-01", "10.00")
        lapsed = await here.becomes(payout, "UNKNOWN")
        assert "authorisers" in lapsed["reason"]
        assert await here.balance(wallet) == ("10.00", "0.00")
        if wakes:
            await here.play.decide(lapsed["paymentReference"], "approve")
            await here.play.advance(10)
            await here.becomes(payout, "SETTLED")
        else:
            await here.said(payout, "cancellations", "ben", "UNKNOWN")
            await here.said(payout, "approvals", "cora", "REJECTED", of="GIVING_UP")
            await here.available(wallet, "10.00")
        await here.tie()


async def test_the_bank_is_away_and_then_there(here: Town, tmp_path: Path) -> None:
    await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path) as running:
        await here.play.fault(route="payments", kind="status", status=401, times=2)
        payout = await approved(here, "escrow-01", "10.00")
        await running.logs("payout.asked", 2)
        await here.becomes(payout, "AWAITING_BANK")
        assert await payments(here) == [payout["myReference"]]
        await here.play.advance(10)
        await here.becomes(payout, "SETTLED")
        await here.tie()


async def test_what_a_gateway_left_is_finished(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        pass
    pool = await banker_pool(here.database.banker, size=1)
    try:
        held, kept, broke = [
            await orders.order(
                pool,
                Order(
                    external_unique_id=f"left-{name}",
                    account_id=here.play.account_id,
                    wallet_id=UUID(wallet),
                    currency="ZAR",
                    amount_minor=minor,
                    payee=Payee(PAYEE["name"], PAYEE["accountNumber"], PAYEE["branchCode"]),
                    their_reference="Invoice 42",
                    description=None,
                ),
                Person("k1", "anna"),
                1,
                timedelta(0),
            )
            for name, minor in (("held", 200), ("kept", 300), ("broke", 2000))
        ]
    finally:
        await pool.close()
    assert held is not None
    assert kept is not None
    assert broke is not None
    # Of the first one the reservation was placed, and the gateway died before it could keep that.
    async with producing(here.database, here.broker.url) as producer:
        placed = await producer.ask(held.reservation, actor=KEEPER)
        assert isinstance(placed, ReservationPlaced)
    async with process(here, tmp_path / "second.log"):
        for payout in (held, kept):
            await here.becomes({"payoutId": payout.payout_id}, "AWAITING_APPROVAL")
        refused = await here.becomes({"payoutId": broke.payout_id}, "REJECTED")
        assert "insufficient-funds" in refused["reason"]
        assert await here.balance(wallet) == ("10.00", "5.00")


async def test_a_release_that_was_lost_is_made_up_for(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        pass
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "cancellations", "anna", "REJECTED")
    assert await here.balance(wallet) == ("10.00", "0.00")  # nobody is there to give it back
    async with process(here, tmp_path / "second.log"):
        await here.available(wallet, "10.00")


async def test_what_was_not_held_in_time_is_not_held_later(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        pass
    # Nobody is there to hold it.
    last = datetime.now(UTC) + timedelta(seconds=2)
    late = await here.ask(
        "escrow-01", "4.00", expect=202, prefer="respond-async", deadline=last.isoformat()
    )
    in_time = await here.ask("escrow-01", "5.00", expect=202, prefer="respond-async")

    async def has_passed() -> bool:
        return bool(await here.owner.fetchval("SELECT clock_timestamp() > $1", last))

    await eventually(has_passed)
    async with process(here, tmp_path / "second.log"):
        rejected = await here.becomes(late, "REJECTED")
        assert "deadline-exceeded" in rejected["reason"]
        await here.becomes(in_time, "AWAITING_APPROVAL")
        assert await here.balance(wallet) == ("10.00", "5.00")


async def test_where_there_is_no_api_a_file_reaches_any_account(here: Town, tmp_path: Path) -> None:
    await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        pass
    payout = await approved(here, "escrow-01", "10.00")
    async with process(here, tmp_path / "second.log", SOV_BANK_API_URL=""):
        waiting = await here.becomes(payout, "AWAITING_BENEFICIARY")
        assert "no API" in waiting["reason"]
    made = await here.running.http.post(
        "/v1/payouts/exports", json={"format": "PAIN.001"}, headers=here.by("anna")
    )
    assert made.status_code == 201, made.text
    async with process(here, tmp_path / "third.log"):
        debit = {"type": "DEBIT", "transactionType": "OnlineBankingPayments"}
        await here.play.credit(10_00, payout["myReference"], **debit)
        await here.becomes(payout, "SETTLED")
        assert await payments(here) == []
        await here.tie()
