"""Consumers that wait for each other's wallets take turns, and nobody waits for a turn for ever."""

from __future__ import annotations

import asyncio
from uuid import UUID

from ledger.outcomes import TransferPosted
from tests.databases import Database
from tests.faults.contention import Gate
from tests.integration.ledger_driver import transfer
from tests.integration.processes import Broker, Producer, consuming


async def made_to_wait(database: Database, producer: Producer, alice: UUID, bob: UUID) -> None:
    """A batch meets a wallet that somebody holds."""
    async with Gate.before_wallet(database, bob) as gate:
        posting = asyncio.create_task(producer.ask(transfer(alice, bob, "1", "in the way")))
        await gate.waited_for(1)
        await asyncio.sleep(0.05)  # longer than locks take that nobody holds: what this is about
        await gate.open()
        assert isinstance(await posting, TransferPosted)


async def test_who_waited_takes_turns(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
        await made_to_wait(database, producer, alice, bob)
        async with Gate.before_turn(database) as gate:
            posting = asyncio.create_task(producer.ask(transfer(alice, bob, "1", "in turn")))
            await gate.waited_for(1)
            await gate.open()
            assert isinstance(await posting, TransferPosted)


async def test_a_turn_that_is_never_given_back_is_gone_without(
    database: Database, broker: Broker, producer: Producer
) -> None:
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
        await made_to_wait(database, producer, alice, bob)
        async with Gate.before_turn(database):
            for number in range(3):
                posted = await producer.ask(transfer(alice, bob, "1", f"without-{number}"), 20)
                assert isinstance(posted, TransferPosted), posted
