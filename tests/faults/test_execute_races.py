"""Races that were reproduced once and lost money or order: each between two real transactions."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta

import pytest

from ledger.commands import (
    Command,
    CreateWallet,
    PostTransferGroup,
    ReleaseSession,
    ReverseTransfer,
)
from ledger.execute import Assigned, execute
from ledger.outcomes import Outcome, ReservationPlaced, Result, TransferPosted
from ledger.rejections import Code, Rejection
from tests.faults.contention import Connection, Gate, another_writer
from tests.integration.ledger_driver import Ledger, reservation, submission, transfer
from tests.polling import eventually

SECOND = timedelta(seconds=1)


async def one(connection: Connection, ledger: Ledger, assigned: Assigned) -> Outcome:
    """The outcome of a batch of one command."""
    (outcome,) = await execute(connection, ledger.fence, [assigned])
    return outcome


async def clock(ledger: Ledger) -> datetime:
    """The database's time, on a connection of its own: the ledger's may be busy."""
    async with another_writer(ledger.database) as connection:
        now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now


def refused(result: Result, code: Code) -> Rejection:
    assert isinstance(result, Rejection), result
    assert result.code is code
    return result


async def test_a_debit_sees_the_reservation_it_waited_for(ledger: Ledger) -> None:
    """All of Alice's money is being reserved by one consumer, which has read and decided and now
    writes; another consumer's debit waits for her wallet. When it gets the wallet, the reservation
    is committed, and its money is not there to be spent."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    hold = submission(reservation(alice, "100", "session-1", "hold-0001"))
    debit = submission(transfer(alice, bob, "100", "key-000001"))
    async with (
        another_writer(ledger.database) as other,
        Gate.before_reservation_key(ledger.database, "hold-0001") as gate,
        asyncio.TaskGroup() as group,
    ):
        held = group.create_task(one(other, ledger, Assigned(0, hold)))
        await gate.waited_for(1)
        debited = group.create_task(one(ledger.connection, ledger, Assigned(1, debit)))
        await gate.waited_for(2)
        await gate.open()
    assert isinstance(held.result().result, ReservationPlaced)
    refused(debited.result().result, Code.INSUFFICIENT_FUNDS)
    assert await ledger.balances(alice, bob) == [(10_000, 0), (0, 0)]


async def test_a_transaction_that_began_early_writes_no_earlier_entry(ledger: Ledger) -> None:
    """One transaction begins and waits for its first wallet; meanwhile another one moves money on
    its second. The first must not put an entry behind that one which claims to be older."""
    first, second = sorted([await ledger.wallet(f"wallet-{n}", "100") for n in range(2)])
    carol = await ledger.wallet("carol-01", "100")
    early = submission(transfer(first, second, "1", "key-000001"))
    late = submission(transfer(carol, second, "1", "key-000002"))
    async with (
        another_writer(ledger.database) as other,
        Gate.before_wallet(ledger.database, first) as gate,
        asyncio.TaskGroup() as group,
    ):
        waiting = group.create_task(one(ledger.connection, ledger, Assigned(0, early)))
        await gate.waited_for(1)
        overtaking = await one(other, ledger, Assigned(1, late))
        await gate.open()
    began_first, overtook = waiting.result().result, overtaking.result
    assert isinstance(began_first, TransferPosted)
    assert isinstance(overtook, TransferPosted)
    assert began_first.transfer.to_sequence == overtook.transfer.to_sequence + 1
    assert began_first.transfer.created >= overtook.transfer.created


async def test_a_deadline_is_judged_after_the_wait(ledger: Ledger) -> None:
    """The batch reached its wallet in time and had to wait for it: what has run out by then is not
    applied any more, and what has not is."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    deadline = await clock(ledger) + SECOND
    impatient = submission(transfer(alice, bob, "1", "key-000001"), deadline=deadline)
    patient = submission(transfer(alice, bob, "2", "key-000002"))

    async def passed() -> bool:
        return await clock(ledger) > deadline

    async with (
        Gate.before_wallet(ledger.database, alice) as gate,
        asyncio.TaskGroup() as group,
    ):
        waiting = group.create_task(ledger.submit(impatient, patient))
        await gate.waited_for(1)
        await eventually(passed)
        await gate.open()
    late, applied = waiting.result()
    refused(late.result, Code.DEADLINE_EXCEEDED)
    assert isinstance(applied.result, TransferPosted)
    assert applied.decided > deadline
    assert await ledger.balances(alice, bob) == [(9800, 9800), (200, 200)]


@pytest.mark.parametrize("amount", ["10", "11"])
async def test_a_key_twice_in_a_batch_of_two_partitions_moves_once(
    ledger: Ledger, amount: str
) -> None:
    """A caller repeats itself, and both attempts reach the ledger by different partitions in the
    same batch: the second is shown the first, and whether it asked for the same."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    batch = [
        Assigned(partition, submission(transfer(alice, bob, each, "key-000001")))
        for partition, each in ((5, "10"), (2, amount))
    ]
    first, second = await execute(ledger.connection, ledger.fence, batch)
    assert isinstance(first.result, TransferPosted)
    duplicate = refused(second.result, Code.DUPLICATE_TRANSFER)
    assert duplicate.transfer == first.result.transfer
    assert duplicate.same_payload is (amount == "10")
    assert await ledger.balances(alice, bob) == [(9000, 9000), (1000, 1000)]


async def test_a_key_in_two_transactions_at_once_moves_once(ledger: Ledger) -> None:
    """Two consumers, both past their reading, write the same key at the same moment, for different
    wallets, so that no row lock keeps them apart: the key alone does."""
    wallets = [await ledger.wallet(f"wallet-{n}", "100") for n in range(4)]
    batch = [
        Assigned(n, submission(transfer(wallets[2 * n], wallets[2 * n + 1], "10", "key-000001")))
        for n in range(2)
    ]
    async with (
        another_writer(ledger.database) as other,
        Gate.before_transfer_key(ledger.database, "key-000001") as gate,
        asyncio.TaskGroup() as group,
    ):
        tasks = [
            group.create_task(one(connection, ledger, assigned))
            for connection, assigned in zip((ledger.connection, other), batch, strict=True)
        ]
        await gate.waited_for(2)
        await gate.open()
    results = [task.result().result for task in tasks]
    (posted,) = [r for r in results if isinstance(r, TransferPosted)]
    (rejection,) = [r for r in results if isinstance(r, Rejection)]
    duplicate = refused(rejection, Code.DUPLICATE_TRANSFER)
    assert (duplicate.transfer, duplicate.same_payload) == (posted.transfer, False)
    assert sum(current for current, _ in await ledger.balances(*wallets)) == 4 * 10_000


async def test_keys_of_several_slices_in_two_transactions_move_once(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same, met while a slice is written and others are decided already: whoever comes second
    decides the whole of its batch anew."""
    monkeypatch.setattr("ledger.execute.SLICE", 2)
    monkeypatch.setattr("ledger.execute._TURN", 1)
    wallets = [await ledger.wallet(f"wallet-{n}", "100") for n in range(4)]
    batches = [
        [Assigned(n, submission(transfer(source, target, "1", f"key-{k:06}"))) for k in range(6)]
        for n, (source, target) in enumerate((wallets[:2], wallets[2:]))
    ]
    async with (
        another_writer(ledger.database) as other,
        Gate.before_transfer_key(ledger.database, "key-000001") as gate,
        asyncio.TaskGroup() as group,
    ):
        tasks = [
            group.create_task(execute(connection, ledger.fence, batch))
            for connection, batch in zip((ledger.connection, other), batches, strict=True)
        ]
        await gate.waited_for(2)
        await gate.open()
    for pair in zip(*(task.result() for task in tasks), strict=True):
        (posted,) = [o.result for o in pair if isinstance(o.result, TransferPosted)]
        (rejection,) = [o.result for o in pair if isinstance(o.result, Rejection)]
        assert refused(rejection, Code.DUPLICATE_TRANSFER).transfer == posted.transfer
    assert sum(current for current, _ in await ledger.balances(*wallets)) == 4 * 10_000


async def test_a_repetition_waits_for_the_original_and_is_shown_it(ledger: Ledger) -> None:
    """The same payment, twice in flight through two consumers: the second waits for the wallet, and
    answers with what the first has just done."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    payment = transfer(alice, bob, "10", "key-000001")
    async with (
        another_writer(ledger.database) as other,
        Gate.before_transfer_key(ledger.database, "key-000001") as gate,
        asyncio.TaskGroup() as group,
    ):
        first = group.create_task(one(other, ledger, Assigned(0, submission(payment))))
        await gate.waited_for(1)
        second = group.create_task(one(ledger.connection, ledger, Assigned(1, submission(payment))))
        await gate.waited_for(2)
        await gate.open()
    original = first.result().result
    assert isinstance(original, TransferPosted)
    duplicate = refused(second.result().result, Code.DUPLICATE_TRANSFER)
    assert (duplicate.transfer, duplicate.same_payload) == (original.transfer, True)
    assert await ledger.balances(alice, bob) == [(9000, 9000), (1000, 1000)]


async def test_an_original_that_thaws_meets_the_refusal_of_its_retry(ledger: Ledger) -> None:
    """The caller's first attempt is stuck in one partition. The retry goes through another, and is
    refused: no money; so the caller is told. Money comes. The first attempt thaws: were it applied
    now, the caller would have been told a lie."""
    alice, bob = await ledger.wallet("alice-01"), await ledger.wallet("bob-0001")
    payment = transfer(alice, bob, "10", "key-000001")
    issued = await clock(ledger)
    stuck = Assigned(0, submission(payment, issued=issued))
    async with another_writer(ledger.database) as other:
        retry = await one(
            other, ledger, Assigned(1, submission(payment, issued=await clock(ledger)))
        )
        refused(retry.result, Code.INSUFFICIENT_FUNDS)
        await ledger.do(transfer(await ledger.system(), alice, "50", "key-000002"))
        thawed = await one(ledger.connection, ledger, stuck)
        assert thawed.result == retry.result
        assert await one(other, ledger, stuck) == thawed
        assert await ledger.balances(alice, bob) == [(5000, 5000), (0, 0)]
        # Whoever asks again after the answer may have it.
        anew = Assigned(1, submission(payment, issued=await clock(ledger)))
        assert isinstance((await one(other, ledger, anew)).result, TransferPosted)


async def test_a_reservation_repeated_after_its_session_was_spent_holds_nothing(
    ledger: Ledger,
) -> None:
    """The answer to a reservation was lost; the session went on and spent it. Neither the broker's
    redelivery nor the caller's retry may lock the customer's money again."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    hold = submission(reservation(alice, "60", "session-1", "hold-0001"))
    (placed,) = await ledger.submit(hold)
    assert isinstance(placed.result, ReservationPlaced)
    spent = await ledger.do(transfer(alice, bob, "60", "key-000001", session_id="session-1"))
    assert isinstance(spent, TransferPosted)
    async with another_writer(ledger.database) as other:
        assert await one(other, ledger, Assigned(placed.partition, hold)) == placed
        retry = await one(other, ledger, Assigned(placed.partition, submission(hold.command)))
    duplicate = refused(retry.result, Code.DUPLICATE_RESERVATION)
    assert duplicate.reservation == placed.result.reservation
    assert duplicate.same_payload
    assert await ledger.balances(alice, bob) == [(4000, 4000), (6000, 6000)]


async def test_everything_redelivered_twice_moves_once(ledger: Ledger) -> None:
    """The broker forgets every ack and brings all of it again, in order; then again, in one batch:
    the answers are the first ones to the byte, and no row is added or changed."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    original = await ledger.do(transfer(alice, bob, "5", "key-000001"))
    assert isinstance(original, TransferPosted)
    mixed: list[list[Command]] = [
        [CreateWallet("carol-01", "ZAR"), transfer(alice, "carol-01", "1", "key-000002")],
        [reservation(alice, "20", "session-1", "hold-0001"), ReleaseSession(bob, "session-1")],
        [transfer(alice, bob, "20", "key-000003", session_id="session-1")],
        [ReverseTransfer(original.transfer.transfer_id, bob, alice, "key-000004")],
        [PostTransferGroup((transfer(bob, alice, "2", "key-000005"),), "group-01")],
        [transfer(bob, alice, "999", "key-000006"), transfer(bob, alice, "1", "key-000005")],
    ]
    batches = [[submission(command) for command in commands] for commands in mixed]
    first = [await ledger.submit(*batch) for batch in batches]
    stand = await books(ledger)
    assert [await ledger.submit(*batch) for batch in batches] == first
    everything = [each for batch in batches for each in batch]
    assert await ledger.submit(*everything) == [o for outcomes in first for o in outcomes]
    assert await books(ledger) == stand


async def books(ledger: Ledger) -> dict[str, list[str]]:
    """Every row of the tables that a batch writes."""
    tables = ("wallets", "transfers", "entries", "transfer_groups", "reservations", "outcomes")
    found = {}
    for table in (*tables, "refused_keys", "chain", "heads"):
        rows = await ledger.connection.fetch(f"SELECT t::text AS row FROM {table} t")  # noqa: S608
        found[table] = sorted(row["row"] for row in rows)
    return found
