"""Payouts whose process is frozen while it asks the bank, and thaws when others have decided; and
those whose gateway dies over them. Nobody is paid twice, nobody's money is held for ever."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest

from tests.databases import Database
from tests.faults.bank_process import Moment, reached, stopping_at
from tests.faults.payout_process import approved, payments, process, working
from tests.faults.processes import started
from tests.faults.test_killed_gateway import listening
from tests.integration.payout_town import PAYEE, Town, town
from tests.integration.processes import Broker
from tests.integration.test_payout_files_as_one import agreed, exported, said_of
from tests.polling import eventually

#: On the way of a file that was paid as one.
AS_ONE = [
    Moment("payouts", "UPDATE", "NEW.shares_row AND NOT OLD.shares_row"),
    Moment("payouts", "UPDATE", "NEW.shares_row AND NEW.state = 'SETTLED'"),
    Moment("bank_rows", "UPDATE", "NEW.purpose = 'PAYOUTS' AND NEW.booked IS NOT NULL"),
]


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    """Without a bank process: tests start their own."""
    async with town(database, broker, tmp_path, bank=False) as found:
        yield found


@asynccontextmanager
async def slow_to_submit(owner: asyncpg.Connection[Any]) -> AsyncIterator[None]:
    """It takes the database five seconds to write down that the bank is asked."""
    await owner.execute(
        "CREATE FUNCTION sov.linger() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(5); RETURN NEW; END $$"
    )
    await owner.execute(
        "CREATE TRIGGER linger BEFORE UPDATE ON sov.payouts FOR EACH ROW"
        " WHEN (NEW.state = 'SUBMITTING') EXECUTE FUNCTION sov.linger()"
    )
    try:
        yield
    finally:
        await owner.execute("DROP TRIGGER linger ON sov.payouts")
        await owner.execute("DROP FUNCTION sov.linger()")


async def test_frozen_before_it_asks_it_asks_no_more(here: Town, tmp_path: Path) -> None:
    """Written down, and not asked for yet: by the time it thaws two people have given it up."""
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path) as frozen:
        async with slow_to_submit(here.owner):
            payout = await approved(here, "escrow-01", "10.00")
            await reached(here.owner)
            frozen.freeze()
            await here.becomes(payout, "SUBMITTING")
        async with process(here, tmp_path / "second.log") as second:
            await second.logs("bank.leads")
            await here.becomes(payout, "UNKNOWN")
            await here.said(payout, "cancellations", "anna", "UNKNOWN")
            await here.said(payout, "approvals", "cora", "REJECTED", of="GIVING_UP")
            await here.available(wallet, "10.00")
            frozen.thaw()
            await frozen.logs("bank.cannot_lead")
            assert await payments(here) == []
            assert (await here.get(payout))["status"] == "REJECTED"
            assert await here.balance(wallet) == ("10.00", "10.00")
            await here.tie()


async def test_frozen_while_it_asks_its_answer_is_too_late(here: Town, tmp_path: Path) -> None:
    """The bank has taken it in, and who reads that has been replaced."""
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path) as frozen:
        await here.play.assume(payment_settles_s=1000)
        await here.play.fault(route="payments", kind="delay-after", seconds=3)
        payout = await approved(here, "escrow-01", "10.00")
        await eventually(lambda: payments(here))
        frozen.freeze()
        async with process(here, tmp_path / "second.log") as second:
            await second.logs("bank.leads")
            await here.becomes(payout, "UNKNOWN")
            frozen.thaw()
            await frozen.logs("bank.cannot_lead")
            assert (await here.get(payout))["status"] == "UNKNOWN"
            assert await payments(here) == [payout["myReference"]]
            assert await here.balance(wallet) == ("10.00", "0.00")
            await here.play.advance(2000)
            await here.becomes(payout, "SETTLED")
            assert await payments(here) == [payout["myReference"]]
            await here.tie()


async def test_the_gateway_is_killed_before_it_knows_that_the_money_is_held(
    here: Town, tmp_path: Path
) -> None:
    wallet = await here.running.wallet("escrow-01", "10.00")
    async with working(here, tmp_path):
        pass
    asked = {
        "walletExternalUniqueId": "escrow-01",
        "amount": "10.00",
        "externalUniqueId": "payout-of-the-dead",
        "beneficiary": PAYEE,
        "theirReference": "Invoice 42",
    }
    async with (
        listening() as opened,
        started(
            "gateway",
            tmp_path / "gateway.log",
            opened.fileno(),
            SOV_DATABASE_URL_READER=here.database.reader,
            SOV_DATABASE_URL_BANKER=here.database.banker,
            SOV_AMQP_URL_GATEWAY=here.broker.url,
            SOV_LISTEN_FD=str(opened.fileno()),
        ) as gateway,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{opened.getsockname()[1]}",
            headers={**here.by("anna"), "Prefer": "wait=10"},
            timeout=35,
        ) as doomed,
    ):
        await eventually(lambda: _is_ready(doomed), 30)
        async with stopping_at(here.owner, Moment("reservations", "INSERT")):
            asking = asyncio.create_task(doomed.post("/v1/payouts", json=asked))
            await reached(here.owner)
            await gateway.kill()
            with pytest.raises(httpx.TransportError):
                await asking
    (left,) = (await here.running.get("/v1/payouts"))["items"]
    assert left["status"] == "REQUESTED"
    # The process goes on with it once the time is over in which the gateway sees to it itself.
    async with process(here, tmp_path / "second.log"):
        await here.becomes(left, "AWAITING_APPROVAL", within_s=60)
        held = "SELECT count(*) FROM sov.reservations WHERE session_id = $1"
        assert await here.owner.fetchval(held, left["sessionId"]) == 1
        assert await here.balance(wallet) == ("10.00", "0.00")
        await here.said(left, "approvals", "ben", "HELD")
        await here.becomes(left, "AWAITING_BANK")
        await here.play.advance(10)
        await here.becomes(left, "SETTLED")
        await here.tie()


@pytest.mark.parametrize("moment", AS_ONE, ids=str)
async def test_killed_while_a_file_that_was_paid_as_one_is_settled(
    here: Town, tmp_path: Path, moment: Moment
) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    async with working(here, tmp_path) as running:
        export_id, payouts = await exported(here, "10.00", "5.00")
        await here.play.credit(15_00, "BATCH", type="DEBIT")
        asked = await said_of(here, await here.row("PAYOUT"), export_id)
        async with stopping_at(here.owner, moment):
            assert (await agreed(here, asked)).status_code == 200
            await reached(here.owner)
            await running.kill()
    async with process(here, tmp_path / "second.log"):
        for payout in payouts:
            await here.becomes(payout, "SETTLED")
        assert await here.balance(wallet) == ("15.00", "15.00")
        keys = "SELECT count(*) FROM sov.transfers WHERE external_unique_id LIKE 'payout:%'"
        assert await here.owner.fetchval(keys) == 2
        await here.tie()


async def _is_ready(http: httpx.AsyncClient) -> bool:
    try:
        return (await http.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False
