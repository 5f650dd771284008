"""The broker gives messages out again, or something in between that cannot be read: every command
has one outcome, told as often as it is asked for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest

from consumers import subscriptions
from consumers.partition import PREFETCH
from ledger import dead_letters, reads
from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    PlaceReservation,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReverseTransfer,
    Submission,
)
from ledger.database import connect_owner
from ledger.outcomes import Outcome, Result, TransferPosted
from ledger.records import WalletStatus, WalletType
from ledger.rejections import Code, Rejection
from tests.databases import Database
from tests.faults.straight import Listener, listening, message, publish
from tests.faults.towns import Town, faulty_town
from tests.integration.ledger_driver import LAYOUT, submission, transfer
from tests.integration.processes import Broker, Producer, consuming
from tests.polling import eventually, until
from tests.proxy import BASIC_ACK, Then, Way
from topology.partitions import partition_of


@pytest.fixture
async def town(database: Database, broker: Broker) -> AsyncIterator[Town]:
    async with faulty_town(database, broker) as ready:
        yield ready


@pytest.fixture
async def listener(broker: Broker) -> AsyncIterator[Listener]:
    async with listening(broker.connection) as ready:
        yield ready


def payments(count: int, source: str = "payer-000", amount: str = "1") -> list[Submission]:
    return [submission(transfer(source, "shop-0001", amount, f"key-{n:05}")) for n in range(count)]


async def drained(town: Town) -> bool:
    return not any([await town.broker.depth(p) for p in range(LAYOUT.partitions)])


@pytest.mark.parametrize(("then", "told"), [(Then.CUT_BEFORE, 2), (Then.CUT_AFTER, 1)])
async def test_a_consumers_ack_is_cut(
    town: Town, listener: Listener, then: Then, told: int
) -> None:
    """A payment is in the books and answered when the connection dies over its ack. Where the ack
    did not arrive the broker gives the message out again, and it is answered again with what it was
    answered before; where it did, it does not. The money moved once."""
    trap = town.delivering.trap(Way.TO_SERVER, BASIC_ACK, then)
    (payment,) = payments(1)
    await listener.send([payment])
    await until(lambda: len(listener.told[payment.command_id]) == told)
    assert trap.sprung.is_set()
    # Another one behind it: had there been a further delivery, its answer would have come first.
    behind = submission(transfer("payer-000", "shop-0001", "1", "key-behind"))
    await listener.send([behind])
    await until(lambda: listener.told[behind.command_id])
    assert len(listener.told[payment.command_id]) == told
    assert isinstance(listener.one_truth(payment).result, TransferPosted)
    assert list(await town.till.in_books()) == ["key-00000", "key-behind"]


async def test_every_kind_of_command_is_delivered_twice(
    database: Database, broker: Broker, producer: Producer, listener: Listener
) -> None:
    """Each message goes into its queue twice, applied or refused: two equal answers, one effect."""
    async with consuming(database, broker):
        alice, bob = await producer.wallet("alice-01", "100"), await producer.wallet("bob-0001")
        paid = await producer.ask(transfer(alice, bob, "10", "original-1"))
        held = await producer.ask(_hold(alice, "5", "session-a", "hold-00001"))
        assert isinstance(paid, TransferPosted)
        commands: list[Command] = [
            CreateWallet("carol-01", "ZAR"),
            CreateWallet("alice-01", "ZAR"),
            CreateWallet("pool-usd-1", "USD", WalletType.SYSTEM),
            transfer(alice, bob, "20", "twice-0001"),
            transfer(alice, bob, "9999", "twice-0002"),
            _hold(alice, "7", "session-b", "hold-00002"),
            _hold(bob, "8", "session-c", "hold-00003"),
            ReleaseReservation(alice, _subject(held)),
            ReleaseSession(bob, "session-c"),
            ReverseTransfer(paid.transfer.transfer_id, bob, alice, "back-00001", Decimal("3")),
            PostTransferGroup(tuple(_group(bob, alice)), "group-0001"),
            ChangeWallet(bob, status=WalletStatus.FROZEN),
        ]
        batch = [submission(command) for command in commands]
        for each in batch:
            await listener.send([each], times=2)
            await listener.heard(each, times=2)
        for each in batch:
            listener.one_truth(each)
        outcomes = await producer.pool.fetchval(
            "SELECT count(*) FROM outcomes WHERE command_id = ANY ($1)",
            [each.command_id for each in batch],
        )
        assert outcomes == len(batch)
        moved = await producer.pool.fetchval("SELECT count(*) FROM transfers")
        assert moved == 1 + 1 + 1 + 1 + 2  # alice's funds, the original, twice-0001, back, group
    assert await _balances(producer, alice, bob) == [7500, 2500]


def _hold(wallet: UUID, amount: str, session: str, key: str) -> PlaceReservation:
    expires = datetime.now(UTC) + timedelta(hours=1)
    return PlaceReservation(wallet, Decimal(amount), session, expires, key)


def _group(source: UUID, target: UUID) -> Sequence[PostTransfer]:
    return [transfer(source, target, "1", f"member-{n:03}") for n in (1, 2)]


def _subject(result: Result) -> UUID:
    found: UUID = result.reservation.reservation_id  # type: ignore[union-attr]
    return found


async def _balances(producer: Producer, *wallets: UUID) -> list[int]:
    states = [await reads.wallet(producer.pool, wallet) for wallet in wallets]
    return [state.state.balance.current_minor for state in states if state is not None]


async def test_prefetched_messages_survive_21_lost_consumers(
    town: Town, listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database does not answer, so nothing is acked, and 21 times the consumer loses its
    connection with its prefetch full. A delivery limit would have dropped all of it by then (4.x
    has one of 20 unless told otherwise): here each is applied, once and in order."""
    monkeypatch.setattr(subscriptions, "_RECONNECT_S", 0.05)
    await town.stop_consuming()
    consumer = await town.consume()
    batch = payments(3 * PREFETCH)
    lane = partition_of(batch[0].command, LAYOUT)
    town.booking.stall()
    await listener.send(batch)

    def prefetched() -> bool:
        partitions = consumer._lane.partitions
        return any(p.number == lane and len(p.buffer) >= PREFETCH - 1 for p in partitions)

    for _ in range(21):
        await until(prefetched)
        await town.delivering.cut()
        await until(lambda: not prefetched())
    town.booking.resume()
    await until(lambda: all(listener.told[each.command_id] for each in batch), within_s=30)
    outcomes = [listener.one_truth(each) for each in batch]
    assert all(isinstance(outcome.result, TransferPosted) for outcome in outcomes)
    assert [o.number for o in outcomes] == sorted(o.number for o in outcomes)
    assert list(await town.till.in_books()) == [f"key-{n:05}" for n in range(len(batch))]
    await eventually(lambda: drained(town))


async def test_what_cannot_be_read_or_applied_between_good_ones(
    town: Town, listener: Listener
) -> None:
    """Five messages of one partition: good, no message at all, good, one with a command that breaks
    the books (NUL; the gateway refuses it, so it is a defect), good. The good ones are applied in
    order, the broken ones are parked, and the broken command has its answer."""
    await town.stop_consuming()
    good = payments(3)
    lane = partition_of(good[0].command, LAYOUT)
    poison = submission(transfer("payer-000", "shop-0001", "1", "key-\x00-nul"))
    bodies = [message(each, reply_to=listener.queue) for each in (*good, poison)]
    in_order = [bodies[0], b"\xc1 no message", bodies[1], bodies[3], bodies[2]]
    await publish(town.broker.connection, lane, *in_order)
    await town.consume()
    await until(lambda: listener.told[good[2].command_id])
    outcomes: list[Outcome] = [listener.one_truth(each) for each in good]
    assert all(isinstance(outcome.result, TransferPosted) for outcome in outcomes)
    refused = listener.one_truth(poison).result
    assert isinstance(refused, Rejection)
    assert refused.code is Code.INTERNAL
    assert list(await town.till.in_books()) == ["key-00000", "key-00001", "key-00002"]
    await eventually(lambda: drained(town))
    await town.till.paying_again(within_s=10)
    owner = await connect_owner(town.database.owner)
    try:
        listed = await dead_letters.listed(owner, 100)
        whole = [await dead_letters.shown(owner, each.letter.dead_letter_id) for each in listed]
        letters = [parked.letter for parked in whole if parked is not None]
    finally:
        await owner.close()
    assert {(letter.message, letter.command_id) for letter in letters} == {
        (b"\xc1 no message", None),
        (None, poison.command_id),
    }
