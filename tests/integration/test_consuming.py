"""Consumers: dead letters, ownership, hand-over, clocks."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from aio_pika import Message

from consumers.worker import Consumer
from ledger import dead_letters, heads, lookup, reads
from ledger.commands import Command, CreateWallet, Submission
from ledger.database import connect_owner
from ledger.outcomes import Outcome, TransferPosted, WalletCreated
from ledger.rejections import Code, Rejection
from tests.databases import Database
from tests.integration.ledger_driver import (
    LAYOUT,
    Ledger,
    reservation,
    submission,
    transfer,
)
from tests.integration.processes import Broker, Producer, consuming
from tests.polling import eventually, until
from topology import connections, names
from topology.envelopes import encode_commands, encode_submission
from topology.partitions import partition_of


async def publish(broker: Broker, partition: int, body: bytes) -> None:
    """Straight into a partition's queue, past every producer of ours."""
    channel = await connections.confirmed_channel(broker.connection)
    queue = names.command_queue(LAYOUT.number, partition)
    await channel.default_exchange.publish(Message(body), queue)
    await connections.close(channel)


def message(*submissions: Submission, layout: int = LAYOUT.number) -> bytes:
    return encode_commands(layout, datetime.now(UTC), None, map(encode_submission, submissions))


async def outcome_of(database: Database, command: Submission) -> Outcome:
    connection = await connect_owner(database.owner)

    async def found() -> Outcome | None:
        outcomes = await lookup.outcomes(connection, [command.command_id])
        return outcomes.get(command.command_id)

    try:
        outcome = await eventually(found)
    finally:
        await connection.close()
    assert outcome is not None
    return outcome


async def parked(database: Database) -> list[dead_letters.Parked]:
    connection = await connect_owner(database.owner)
    try:
        listed = await dead_letters.listed(connection, 100)
        shown = [await dead_letters.shown(connection, p.letter.dead_letter_id) for p in listed]
        return [parked for parked in shown if parked is not None]
    finally:
        await connection.close()


class TestDeadLetters:
    async def test_one_bad_command_does_not_hold_up_the_good_ones(
        self, database: Database, broker: Broker, producer: Producer
    ) -> None:
        async with consuming(database, broker):
            alice = await producer.wallet("alice-01", "100")
            bob = await producer.wallet("bob-0001")
        commands: list[Command] = [transfer(alice, bob, "1", f"key-{n:05}") for n in range(30)]
        # PostgreSQL keeps no NUL: the gateway would have refused it, so here it is a defect.
        commands[17] = transfer(alice, bob, "1", "key-\x00-nul")
        batch = [submission(c) for c in commands]
        await publish(broker, partition_of(commands[0], LAYOUT), message(*batch))
        async with consuming(database, broker):
            outcomes = [await outcome_of(database, s) for s in batch]
        kinds = [type(o.result).__name__ for o in outcomes]
        assert kinds == ["TransferPosted"] * 17 + ["Rejection"] + ["TransferPosted"] * 12
        refusal = outcomes[17].result
        assert isinstance(refusal, Rejection)
        assert refusal.code is Code.INTERNAL
        (letter,) = [p.letter for p in await parked(database)]
        assert letter.dead_letter_id == refusal.dead_letter_id
        assert letter.command_id == batch[17].command_id
        assert "0x00" in letter.reason
        assert "Traceback" in (letter.traceback or "")
        assert json.loads(letter.submission or "")

    async def test_an_actor_that_cannot_be_stored_is_parked_too(
        self, database: Database, broker: Broker
    ) -> None:
        base = submission(CreateWallet("alice-01", "ZAR"))
        bad = Submission(base.command_id, base.issued, base.deadline, "key\x00", base.command)
        await publish(broker, partition_of(base.command, LAYOUT), message(bad))
        async with consuming(database, broker):
            outcome = await outcome_of(database, bad)
        assert isinstance(outcome.result, Rejection)
        assert outcome.result.code is Code.INTERNAL

    @pytest.mark.parametrize(
        "body",
        [b"", b"\xc1", b'{"json": true}', message(layout=1)[:-1]],
        ids=["empty", "no-message-pack", "json", "cut-short"],
    )
    async def test_an_unreadable_message_is_kept_as_it_came(
        self, database: Database, broker: Broker, producer: Producer, body: bytes
    ) -> None:
        await publish(broker, 2, body)
        async with consuming(database, broker):
            await eventually(lambda: parked(database))
            assert isinstance(await producer.ask(CreateWallet("alice-01", "ZAR")), WalletCreated)
        (letter,) = [p.letter for p in await parked(database)]
        assert (letter.message, letter.partition) == (body, 2)
        assert letter.reason.startswith("Malformed")

    async def test_commands_of_another_layout_are_refused_and_recorded(
        self, database: Database, broker: Broker
    ) -> None:
        stray = submission(CreateWallet("alice-01", "ZAR"))
        await publish(broker, 0, message(stray, layout=9))
        async with consuming(database, broker):
            outcome = await outcome_of(database, stray)
        assert isinstance(outcome.result, Rejection)
        assert outcome.result.code is Code.UNAVAILABLE


class TestOwnership:
    async def test_partitions_go_to_the_consumer_they_are_assigned_to(
        self, database: Database, broker: Broker, producer: Producer
    ) -> None:
        """Alone, one consumer takes all; when the other comes, it hands its half back."""
        async with consuming(database, broker, slot=0, slots=2) as first:
            await until(lambda: len(owned(first)) == LAYOUT.partitions)
            async with consuming(database, broker, slot=1, slots=2) as second:
                await until(lambda: owned(second) == {1, 3, 5, 7})
                await until(lambda: owned(first) == {0, 2, 4, 6})
                wallets = [producer.ask(CreateWallet(f"wallet-{n:02}", "ZAR")) for n in range(40)]
                results = await asyncio.gather(*wallets)
                assert all(isinstance(r, WalletCreated) for r in results)
            await until(lambda: len(owned(first)) == LAYOUT.partitions)

    async def test_what_was_not_acked_is_answered_once_by_the_next_owner(
        self, database: Database, broker: Broker, producer: Producer
    ) -> None:
        async with consuming(database, broker):
            alice = await producer.wallet("alice-01", "100")
            bob = await producer.wallet("bob-0001")
        command = submission(transfer(alice, bob, "60", "key-000001"))
        body = message(command)
        for _ in range(3):
            await publish(broker, partition_of(command.command, LAYOUT), body)
        async with consuming(database, broker):
            outcome = await outcome_of(database, command)
            await eventually(lambda: drained(broker))
        assert isinstance(outcome.result, TransferPosted)
        balance = await reads.balance_at(producer.pool, bob, datetime.now(UTC))
        assert balance is not None
        assert balance.current_minor == 6000

    async def test_idle_partitions_find_their_owner_and_their_clocks_go_on(
        self, database: Database, broker: Broker, producer: Producer
    ) -> None:
        """Nobody sends anything; still every partition's time comes to pass."""
        started = (await reads.times(producer.pool)).now

        async def passed() -> bool:
            return await reads.complete_until(producer.pool) > started

        async with consuming(database, broker) as consumer:
            await eventually(passed)
            assert len(owned(consumer)) == LAYOUT.partitions

    async def test_expired_reservations_are_tidied(self, ledger: Ledger) -> None:
        alice = await ledger.wallet("alice-01", "100")
        await ledger.do(reservation(alice, "1", "session-1", "hold-0001"))
        owner = await connect_owner(ledger.database.owner)
        try:
            await owner.execute("UPDATE reservations SET expires = expires - interval '1 hour'")
            assert await heads.sweep(ledger.connection) == 1
            assert await heads.sweep(ledger.connection) == 0
            await owner.execute(
                "UPDATE reservations SET expires = expires + interval '1 hour',"
                " released = released + interval '1 hour'"
            )
        finally:
            await owner.close()


def owned(consumer: Consumer) -> set[int]:
    partitions: dict[str, Any] = consumer.report()["partitions"]  # type: ignore[assignment]
    return {int(p) for p, state in partitions.items() if state["epoch"] is not None}


async def drained(broker: Broker) -> bool:
    return sum([await broker.depth(p) for p in range(LAYOUT.partitions)]) == 0
