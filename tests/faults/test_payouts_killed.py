"""Payouts whose process is killed: what the bank may have heard is never asked for again, and every
payout ends with every cent in one place."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.databases import Database
from tests.faults.payout_process import approved, payments, process, working
from tests.integration.gateways import code
from tests.integration.payout_town import ENDED, Town, town
from tests.integration.processes import Broker
from tests.polling import eventually


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    """Without a bank process: tests start their own, and kill it."""
    async with town(database, broker, tmp_path, bank=False) as found:
        yield found


async def test_killed_while_it_asks(here: Town, tmp_path: Path) -> None:
    wallet = await here.running.wallet("escrow-01", "20.00")
    async with working(here, tmp_path) as running:
        # The bank takes it in, and longer to say so than the process lives.
        await here.play.fault(route="payments", kind="delay-after", seconds=5)
        payout = await approved(here, "escrow-01", "10.00")
        await here.becomes(payout, "SUBMITTING")
        await running.kill()
    assert (await here.get(payout))["status"] == "SUBMITTING"
    assert await here.balance(wallet) == ("20.00", "10.00")
    async with process(here, tmp_path / "second.log"):
        await here.becomes(payout, "UNKNOWN", "SETTLED")
        assert await payments(here) == [payout["myReference"]]
        await here.play.advance(10)
        await here.becomes(payout, "SETTLED")
        # It does ask for others.
        second = await approved(here, "escrow-01", "10.00")
        await here.becomes(second, "AWAITING_BANK")
        await here.play.advance(10)
        await here.becomes(second, "SETTLED")
        assert sorted(await payments(here)) == sorted(
            [payout["myReference"], second["myReference"]]
        )
        await here.tie()


async def test_killed_before_it_asked_is_never_asked_for_by_itself(
    here: Town, tmp_path: Path
) -> None:
    wallet = await here.running.wallet("escrow-01", "20.00")
    async with working(here, tmp_path):
        pass
    payout = await approved(here, "escrow-01", "10.00")
    # As the process leaves it that dies between its commit and the call.
    await here.owner.execute("UPDATE sov.payouts SET state = 'SUBMITTING', submitted = now()")
    async with process(here, tmp_path / "second.log"):
        await here.becomes(payout, "UNKNOWN")
        second = await approved(here, "escrow-01", "1.00")
        await here.becomes(second, "AWAITING_BANK")
        assert await payments(here) == [second["myReference"]]
        # Two people look at the bank's pages, and are sure.
        asked = await here.said(payout, "cancellations", "anna", "UNKNOWN")
        assert asked["givingUp"] == "anna"
        # Whoever means the payment does not give it up by mistake.
        assert code(await here.say(payout, "approvals", "ben")) == (409, "payout-conflict")
        assert code(await here.say(payout, "approvals", "anna too", of="GIVING_UP")) == (
            403,
            "same-owner",
        )
        await here.said(payout, "refusals", "ben", "UNKNOWN")
        assert await here.balance(wallet) == ("20.00", "9.00")
        await here.said(payout, "cancellations", "anna", "UNKNOWN")
        await here.said(payout, "approvals", "cora", "REJECTED", of="GIVING_UP")
        await here.available(wallet, "19.00")
        await here.play.advance(10)
        await here.becomes(second, "SETTLED")
        await here.tie()


async def test_killed_between_any_two_steps(here: Town, tmp_path: Path) -> None:
    """A process that is killed again and again at random moments while the bank fails at random:
    every payout ends, nobody is paid twice, and every cent is in one place."""
    seed = random.SystemRandom().randrange(10**6)
    print(f"seed {seed}")
    chance = random.Random(seed)
    wallet = await here.running.wallet("escrow-01", "1000.00")
    async with working(here, tmp_path):
        await here.play.assume(payment_settles_s=0.2)
    asked: list[dict[str, Any]] = []
    kinds = ("status-after", "garbage-after", "delay", "delay-after", "status")
    for life in range(8):
        async with process(here, tmp_path / f"{life}.log") as running:
            for _ in range(3):
                kind = chance.choice(kinds)
                seconds = chance.uniform(0, 1) if "delay" in kind else 0
                await here.play.fault(route="payments", kind=kind, seconds=seconds)
                asked.append(await approved(here, "escrow-01", f"{chance.randint(1, 900) / 100}"))
            await running.logs("bank.leads")
            await asyncio.sleep(chance.uniform(0, 1.5))
            await running.kill()
    http = here.running.http
    await http.request("DELETE", f"{here.play.url}/simulator/faults")
    async with process(here, tmp_path / "last.log"):
        await here.play.advance(100)

        async def are_decided() -> bool:
            now = [(await here.get(payout))["status"] for payout in asked]
            return all(status in (*ENDED, "UNKNOWN") for status in now)

        await eventually(are_decided, 60)
        paid = await payments(here)
        assert len(paid) == len(set(paid)), "somebody was paid twice"
        for payout in asked:
            # Nobody waits for a row of what the bank does not have; people say so.
            if payout["myReference"] not in paid:
                assert (await here.get(payout))["status"] == "UNKNOWN"
                await here.said(payout, "cancellations", "anna", "UNKNOWN")
                await here.said(payout, "approvals", "cora", "REJECTED", of="GIVING_UP")
            else:
                await here.becomes(payout, "SETTLED")
        spent = sum(
            round(float(payout["amount"]) * 100)
            for payout in asked
            if payout["myReference"] in paid
        )
        left = f"{(100_000 - spent) / 100:.2f}"
        await here.available(wallet, left)
        assert await here.balance(wallet) == (left, left)
        await here.tie()
