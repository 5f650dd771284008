"""The client against the simulated bank: what it reads, and what it makes of faults."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from bank.investec.access import Access, Patience
from bank.investec.calls import Calls
from bank.investec.client import Investec
from bank.investec.errors import NotAdmitted, Refused, Unavailable
from bank.investec.records import Direction, Row
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
            with pytest.raises(NotAdmitted, match="401"):
                await bank.accounts()


async def test_nobody_there_is_definite(tmp_path: Path) -> None:
    async with simulated(tmp_path) as play:
        access = play.access
    async with Investec.connected(access, Patience(again_s=0.1)) as bank:
        with pytest.raises(Unavailable):
            await bank.accounts()


async def test_a_statement_in_pages_is_asked_for_in_parts(bank: Investec, play: Play) -> None:
    today = date.fromisoformat((await play.state())["today"])
    for day in range(4):
        posted = (today - timedelta(days=day)).isoformat()
        await play.credit(1_00, f"day {day}", postingDate=posted, times=2)
    await play.credit(1_00, "swipe", settles="later")
    await play.assume(most_rows=3)
    found = await rows(bank, play, pending=True)
    orders = [row.posted_order for row in found]
    assert orders == [13006, 13007, 13004, 13005, 13002, 13003, 13000, 13001, 0]
    await play.assume(most_rows=1)
    with pytest.raises(Unavailable, match="2 pages"):
        await rows(bank, play)


async def test_a_bank_that_is_slow_is_asked_again(play: Play) -> None:
    await play.credit(1_00, "there")
    await play.fault(route="transactions", kind="delay", seconds=30, times=1)
    async with client(play, answer_s=0.5, again_s=10) as bank:
        assert len(await rows(bank, play)) == 1


@pytest.mark.parametrize("kind", ["cut", "cut-after", "garbage-after"])
async def test_reading_is_asked_again_after_a_bad_line(
    bank: Investec, play: Play, kind: str
) -> None:
    await play.credit(1_00, "there")
    await play.fault(route="any", kind=kind, times=3)
    assert len(await rows(bank, play)) == 1


async def test_when_to_come_again_is_believed(play: Play) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    await play.fault(route="accounts", kind="status", status=429, retryAfterS=7)
    await play.fault(route="accounts", kind="status", status=503, retryAfterS=7200)
    patience = Patience()
    async with Calls.connected(play.access, patience) as calls:
        assert len(await Investec(calls, patience, sleep=sleep).accounts()) == 1
    assert pauses == [7, 15]


async def test_what_may_not_be_read_is_not_asked_again(play: Play) -> None:
    await play.http.put("/simulator/scopes", json={"scopes": ["accounts"]})
    async with client(play) as bank:
        with pytest.raises(NotAdmitted, match="403"):
            await rows(bank, play)
        with pytest.raises(Refused, match="400 The specified account is invalid"):
            await bank.authorisation_setup("another", play.account_id)


@pytest.mark.parametrize("how", ["missing", "null", "zero"])
@pytest.mark.parametrize("uuid", ["missing", "null", "blank"])
async def test_pending_rows_are_read_however_they_come(
    bank: Investec, play: Play, how: str, uuid: str
) -> None:
    await play.assume(pending_order=how, pending_uuid=uuid, pending_list="PendingTransaction")
    await play.credit(5_00, "swipe", type="DEBIT", settles="later")
    (pending,) = await rows(bank, play, pending=True)
    (listed,) = (await bank.pending(play.account_id)).read
    for row in (pending, listed):
        assert (row.is_settled, row.posted_order, row.uuid) == (False, 0, "")


async def test_a_token_as_text_serves_as_well(bank: Investec, play: Play) -> None:
    await play.assume(expires_in="text", self_link="null")
    for _ in range(2):
        assert len(await bank.accounts()) == 1
