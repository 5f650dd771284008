"""``execute`` on real books: a batch behaves like its commands one by one, and exactly once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import asyncpg
import pytest
import uuid_utils.compat

from ledger import heads, lookup, reads
from ledger.commands import (
    ChangeWallet,
    CreateWallet,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReverseTransfer,
)
from ledger.database import UNREACHABLE, connect_owner, connect_writer
from ledger.execute import Assigned, execute
from ledger.fence import Fence, FenceLost
from ledger.outcomes import (
    Outcome,
    ReservationPlaced,
    ReservationsReleased,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import WalletStatus, WalletType
from ledger.rejections import Code, Rejection
from tests.integration.ledger_driver import (
    LAYOUT,
    Ledger,
    assigned,
    reservation,
    submission,
    transfer,
)
from tests.polling import eventually, until


@pytest.fixture(autouse=True, params=[1000, 1], ids=["at-once", "in-slices"])
def slices(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every promise holds for a batch that is written at once and for one in slices."""
    monkeypatch.setattr("ledger.execute.SLICE", request.param)
    monkeypatch.setattr("ledger.execute._TURN", 1)


async def test_one_batch_does_everything_in_order(ledger: Ledger) -> None:
    results = await ledger.run(
        CreateWallet("system-1", "ZAR", WalletType.SYSTEM),
        CreateWallet("alice-01", "ZAR", metadata={"branch": "Cape Town"}),
        CreateWallet("bob-0001", "ZAR", minimum_balance=Decimal("-10")),
        transfer("system-1", "alice-01", "100", "key-000001", metadata={"till": "4"}),
        transfer("alice-01", "bob-0001", "60", "key-000002", description="rent"),
        transfer("alice-01", "bob-0001", "60", "key-000003"),
        transfer("bob-0001", "alice-01", "70", "key-000004"),
    )
    assert [type(r).__name__ for r in results[:3]] == ["WalletCreated"] * 3
    assert isinstance(results[4], TransferPosted)
    assert results[4].transfer.from_balance_minor == 4000
    assert isinstance(results[5], Rejection)
    assert results[5].code is Code.INSUFFICIENT_FUNDS
    assert isinstance(results[6], TransferPosted)
    assert results[6].transfer.from_balance_minor == -1000


async def test_a_redelivered_command_meets_its_first_outcome(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    moves = submission(transfer(alice, bob, "100", "key-000001"))
    refused = submission(transfer(bob, alice, "500", "key-000002"))
    first = await ledger.submit(moves, refused)
    await ledger.do(transfer(await ledger.system(), bob, "1000", "key-000003"))
    again = await ledger.submit(refused, moves, refused)
    assert again == [first[1], first[0], first[1]]
    assert (await ledger.balances(alice, bob)) == [(0, 0), (110_000, 110_000)]


async def test_the_same_id_twice_in_a_batch_is_one_command(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    twice = submission(transfer(alice, bob, "10", "key-000001"))
    first, second = await ledger.submit(twice, twice)
    assert first == second
    assert (await ledger.balances(alice)) == [(9000, 9000)]


async def test_the_same_key_twice_in_a_batch_moves_once(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    first, second = await ledger.run(
        transfer(alice, bob, "10", "key-000001"), transfer(alice, bob, "10", "key-000001")
    )
    assert isinstance(first, TransferPosted)
    assert isinstance(second, Rejection)
    assert second.transfer == first.transfer
    assert (await ledger.balances(alice)) == [(9000, 9000)]


async def test_outcomes_are_read_back_as_they_were_answered(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    placed = await ledger.do(reservation(alice, "10", "session-1", "hold-0001"))
    assert isinstance(placed, ReservationPlaced)
    original = await ledger.do(transfer(alice, bob, "5", "key-000001", metadata={"b": "2"}))
    assert isinstance(original, TransferPosted)
    commands = [
        submission(c)
        for c in (
            CreateWallet("carol-01", "JPY", name="Carol", metadata={"z": "1", "a": "2"}),
            ChangeWallet(bob, WalletStatus.FROZEN, name="Bob"),
            reservation(alice, "20", "session-2", "hold-0002"),
            ReleaseReservation(alice, placed.reservation.reservation_id),
            ReleaseSession(alice, "no-such-session"),
            transfer(alice, bob, "20", "key-000002", session_id="session-2", external_id="x"),
            PostTransferGroup((transfer(alice, bob, "1", "key-000003"),), "group-01"),
            ReverseTransfer(original.transfer.transfer_id, bob, alice, "key-000004"),
            ChangeWallet(bob, WalletStatus.ACTIVE),
            ReverseTransfer(original.transfer.transfer_id, bob, alice, "key-000006"),
            transfer(alice, bob, "20", "key-000002"),
            transfer(alice, bob, "9999", "key-000005"),
        )
    ]
    outcomes = await ledger.submit(*commands)
    kinds = [type(o.result).__name__ for o in outcomes]
    assert kinds == [
        "WalletCreated",
        "WalletChanged",
        "ReservationPlaced",
        "ReservationsReleased",
        "ReservationsReleased",
        "TransferPosted",
        "TransferGroupPosted",
        "Rejection",
        "WalletChanged",
        "TransferPosted",
        "Rejection",
        "Rejection",
    ]
    read = await lookup.outcomes(ledger.connection, [o.command_id for o in outcomes])
    assert [read[o.command_id] for o in outcomes] == outcomes


async def test_a_session_transfer_spends_what_it_reserved(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    carol = await ledger.wallet("carol-01", "100")
    await ledger.run(
        reservation(alice, "100", "session-1", "hold-0001"),
        reservation(carol, "30", "session-1", "hold-0002"),
    )
    assert (await ledger.balances(alice, carol)) == [(10_000, 0), (10_000, 7000)]
    refused = await ledger.do(transfer(alice, bob, "0.01", "key-000001"))
    assert isinstance(refused, Rejection)
    result = await ledger.do(transfer(alice, bob, "100", "key-000002", session_id="session-1"))
    assert isinstance(result, TransferPosted)
    assert sum(r.amount_minor for r in result.transfer.released) == 13_000
    assert (await ledger.balances(alice, bob, carol)) == [
        (0, 0),
        (10_000, 10_000),
        (10_000, 10_000),
    ]
    again = await ledger.do(reservation(alice, "100", "session-1", "hold-0001"))
    assert isinstance(again, Rejection)
    assert again.code is Code.DUPLICATE_RESERVATION


async def test_a_refused_session_transfer_leaves_the_reservations(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    await ledger.do(reservation(alice, "60", "session-1", "hold-0001"))
    result = await ledger.do(transfer(alice, bob, "100.01", "key-000001", session_id="session-1"))
    assert isinstance(result, Rejection)
    assert (await ledger.balances(alice)) == [(10_000, 4000)]


async def test_an_expired_reservation_holds_nothing_before_anybody_tidies_it(
    ledger: Ledger,
) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    soon = reservation(alice, "100", "session-1", "hold-0001", timedelta(milliseconds=150))
    assert isinstance(await ledger.do(soon), ReservationPlaced)

    async def available() -> int:
        return (await ledger.balances(alice))[0][1]

    await eventually(available)
    result = await ledger.do(transfer(alice, bob, "100", "key-000001", session_id="session-1"))
    assert isinstance(result, TransferPosted)
    assert result.transfer.released == ()
    assert await heads.sweep(ledger.connection) == 0, "the margin has not passed"


async def test_a_group_is_one_or_nothing(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    refused = await ledger.do(
        PostTransferGroup(
            (
                transfer(alice, bob, "100", "key-000001"),
                transfer(alice, bob, "0.01", "key-000002"),
            ),
            "group-01",
        )
    )
    assert isinstance(refused, Rejection)
    assert refused.index == 1
    assert (await ledger.balances(alice)) == [(10_000, 10_000)]
    done = await ledger.do(
        PostTransferGroup(
            (
                transfer(alice, bob, "100", "key-000001"),
                transfer(bob, alice, "0.01", "key-000002"),
            ),
            "group-01",
        )
    )
    assert isinstance(done, TransferGroupPosted)
    assert (await ledger.balances(alice, bob)) == [(1, 1), (9999, 9999)]


async def test_reversals_add_up_over_batches(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    original = await ledger.do(transfer(alice, bob, "100", "key-000001"))
    assert isinstance(original, TransferPosted)
    name = original.transfer.transfer_id
    part = ReverseTransfer(name, bob, alice, "key-000002", Decimal("60"))
    assert isinstance(await ledger.do(part), TransferPosted)
    more = ReverseTransfer(name, bob, alice, "key-000003", Decimal("60"))
    rest = ReverseTransfer(name, bob, alice, "key-000004")
    last = ReverseTransfer(name, bob, alice, "key-000005")
    results = await ledger.run(more, rest, last)
    assert [type(r).__name__ for r in results] == ["Rejection", "TransferPosted", "Rejection"]
    assert (await ledger.balances(alice, bob)) == [(10_000, 10_000), (0, 0)]


async def test_a_late_command_is_refused_by_database_time(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    late = submission(
        transfer(alice, bob, "1", "key-000001"), deadline=datetime.now(UTC) - timedelta(seconds=1)
    )
    (outcome,) = await ledger.submit(late)
    assert isinstance(outcome.result, Rejection)
    assert outcome.result.code is Code.DEADLINE_EXCEEDED


async def test_what_was_issued_before_a_refusal_never_applies_after_it(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01"), await ledger.wallet("bob-0001")
    frozen = submission(transfer(alice, bob, "10", "key-000001"))
    (retry,) = await ledger.submit(submission(transfer(alice, bob, "10", "key-000001")))
    assert isinstance(retry.result, Rejection)
    await ledger.do(transfer(await ledger.system(), alice, "10", "key-000002"))
    (thawed,) = await ledger.submit(frozen)
    assert thawed.result == retry.result
    assert isinstance(await ledger.do(transfer(alice, bob, "10", "key-000001")), TransferPosted)


async def test_what_was_issued_before_a_refusal_does_not_apply_in_the_same_batch_either(
    ledger: Ledger,
) -> None:
    """The retry overtakes the original and is refused; money comes; then the original is read."""
    alice, bob = await ledger.wallet("alice-01"), await ledger.wallet("bob-0001")
    system = await ledger.system()
    original = submission(transfer(alice, bob, "10", "key-000001"))
    retry = submission(transfer(alice, bob, "10", "key-000001"))
    money = submission(transfer(system, alice, "10", "key-000002"))
    results = [o.result for o in await ledger.submit(retry, money, original)]
    assert [type(r).__name__ for r in results] == ["Rejection", "TransferPosted", "Rejection"]
    assert results[2] == results[0]
    # A command issued after it has another chance.
    assert isinstance(await ledger.do(transfer(alice, bob, "10", "key-000001")), TransferPosted)


async def test_a_key_that_is_refused_again_and_again_is_one_row(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01"), await ledger.wallet("bob-0001")
    for _ in range(3):
        await ledger.run(*(transfer(alice, bob, "10", "key-000001") for _ in range(3)))
    rows = await ledger.connection.fetch("SELECT * FROM refused_keys WHERE key = 'key-000001'")
    last = await ledger.connection.fetchval(
        "SELECT max(number) FROM outcomes WHERE partition = $1", rows[0]["partition"]
    )
    assert [row["number"] for row in rows] == [last]


async def test_a_group_that_names_a_key_twice_is_refused_like_any_other(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    twice = PostTransferGroup((transfer(alice, bob, "1", "key-000001"),) * 2, "group-0001")
    late = submission(twice, deadline=datetime.now(UTC) - timedelta(seconds=1))
    refused, expired = (o.result for o in await ledger.submit(submission(twice), late))
    assert isinstance(refused, Rejection)
    assert refused.code is Code.INVALID_REQUEST
    assert isinstance(expired, Rejection)
    assert expired.code is Code.DEADLINE_EXCEEDED


async def test_what_a_session_held_is_told_in_one_order_for_ever(ledger: Ledger) -> None:
    """The order of the rows is not that of their ids; the chain is hashed over what was told."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    for end in ("release", "transfer"):
        keys = [f"{letter}-hold-{end}" for letter in "zmayb"]
        await ledger.run(*(reservation(alice, "1", f"session-{end}", key) for key in keys))
    await ledger.do(ReleaseSession(alice, "session-release"))
    await ledger.do(transfer(alice, bob, "5", "key-000001", session_id="session-transfer"))


async def test_decisions_of_a_partition_come_one_after_the_other_whatever_the_clock_does(
    ledger: Ledger,
) -> None:
    """The clock was put back: what was complete until now stays complete."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    owner = await connect_owner(ledger.database.owner)
    try:
        await owner.execute("UPDATE heads SET decided_at = decided_at + interval '1 hour'")
        for turn in range(3):
            complete = await reads.complete_until(owner)
            in_two_hours = datetime.now(UTC) + timedelta(hours=2)
            (outcome,) = await ledger.submit(
                submission(transfer(alice, bob, "1", f"key-{turn:05}"), deadline=in_two_hours)
            )
            assert outcome.decided > complete
    finally:
        await owner.close()


async def test_one_key_in_two_partitions_at_once_moves_once(ledger: Ledger) -> None:
    """Two owners bring the same key; one waits for the other's commit and then sees it."""
    system = await ledger.system()
    wallets = [await ledger.wallet(f"wallet-{n}", "100") for n in range(6)]
    other = await connect_writer(ledger.database.writer)
    try:
        for attempt in range(10):
            key = f"contested-{attempt}"
            first, second = (submission(transfer(w, system, "1", key)) for w in wallets[:2])
            results = await asyncio.gather(
                execute(ledger.connection, ledger.fence, [Assigned(0, first)]),
                execute(other, ledger.fence, [Assigned(1, second)]),
            )
            kinds = sorted(type(o.result).__name__ for (o,) in results)
            assert kinds == ["Rejection", "TransferPosted"]
    finally:
        await other.close()


async def test_two_owners_of_the_same_wallets_do_not_lose_money(ledger: Ledger) -> None:
    """Row locks, not partitions, keep wallets right that many partitions touch."""
    wallets = [await ledger.wallet(f"wallet-{n}", "50") for n in range(8)]
    others = [await connect_writer(ledger.database.writer) for _ in range(3)]
    connections = [ledger.connection, *others]

    async def shuffle(connection: asyncpg.Connection, partition: int) -> list[Outcome]:
        outcomes = []
        for turn in range(12):
            batch = [
                submission(
                    transfer(
                        wallets[(turn + n) % 8],
                        wallets[(turn * 3 + n + 1 + partition) % 8],
                        "7",
                        f"key-{partition}-{turn}-{n}",
                    )
                )
                for n in range(5)
            ]
            outcomes += await execute(
                connection, ledger.fence, [Assigned(partition, s) for s in batch]
            )
        return outcomes

    try:
        results = await asyncio.gather(*(shuffle(c, p) for p, c in enumerate(connections)))
        assert sum(map(len, results)) == 4 * 12 * 5
        total = sum(current for current, _ in await ledger.balances(*wallets))
        assert total == 8 * 5000
    finally:
        for connection in others:
            await connection.close()


async def test_a_reservation_that_is_being_committed_is_seen(ledger: Ledger) -> None:
    """A debit that had to wait for the wallet sees what was reserved while it waited."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    blocker = await asyncpg.connect(ledger.database.owner)
    other = await connect_writer(ledger.database.writer)
    try:
        await blocker.execute("BEGIN; SELECT FROM sov.wallets FOR NO KEY UPDATE")
        hold = submission(reservation(alice, "100", "session-1", "hold-0001"))
        holding = asyncio.create_task(execute(other, ledger.fence, [Assigned(0, hold)]))
        await _waiting_for_locks(blocker, 1)
        debit = submission(transfer(alice, bob, "100", "key-000001"))
        debiting = asyncio.create_task(
            execute(ledger.connection, ledger.fence, [Assigned(1, debit)])
        )
        await _waiting_for_locks(blocker, 2)
        await blocker.execute("COMMIT")
        (held,), (debited,) = await holding, await debiting
    finally:
        await blocker.close()
        await other.close()
    assert isinstance(held.result, ReservationPlaced)
    assert isinstance(debited.result, Rejection)
    assert debited.result.code is Code.INSUFFICIENT_FUNDS


async def test_decision_time_is_read_after_the_locks(ledger: Ledger) -> None:
    """``created`` follows ``sequence`` and deadlines count however long a lock was waited for."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    blocker = await asyncpg.connect(ledger.database.owner)
    try:
        await blocker.execute("BEGIN; SELECT FROM sov.wallets FOR NO KEY UPDATE")
        late = submission(
            transfer(alice, bob, "1", "key-000001"),
            deadline=datetime.now(UTC) + timedelta(milliseconds=300),
        )
        waiting = asyncio.create_task(ledger.submit(late))
        await _waiting_for_locks(blocker, 1)
        await until(lambda: datetime.now(UTC) > late.deadline)
        await blocker.execute("COMMIT")
        (outcome,) = await waiting
    finally:
        await blocker.close()
    assert isinstance(outcome.result, Rejection)
    assert outcome.result.code is Code.DEADLINE_EXCEEDED


async def test_an_entry_from_the_future_pulls_the_decision_time_along(ledger: Ledger) -> None:
    """After a clock that ran ahead, time stands still instead of running backwards."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    ahead = datetime.now(UTC) + timedelta(seconds=30)
    await ledger.connection.execute(
        "UPDATE wallets SET last_entry = $1 WHERE wallet_id = $2", ahead, bob
    )
    (outcome,) = await ledger.submit(submission(transfer(alice, bob, "1", "key-000001")))
    assert outcome.decided == ahead


async def test_who_lost_the_fence_writes_nothing(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    other = await connect_writer(ledger.database.writer)
    try:
        command = submission(transfer(alice, bob, "1", "key-000001"))
        mine = assigned(command)
        epoch = await heads.take_over(other, LAYOUT.number, mine.partition)
        with pytest.raises(FenceLost) as lost:
            await execute(ledger.connection, ledger.fence, [mine])
        assert lost.value.partitions == {mine.partition}
        (outcome,) = await execute(
            other, Fence(LAYOUT.number, {mine.partition: epoch}), [assigned(command)]
        )
        assert isinstance(outcome.result, TransferPosted)
    finally:
        await other.close()


async def test_a_frozen_owner_is_ended_and_replaced(ledger: Ledger) -> None:
    """Its transaction holds the head row: the next owner ends that session and goes on."""
    await ledger.connection.execute("SET idle_in_transaction_session_timeout = 0")
    await ledger.connection.execute("BEGIN; SELECT FROM heads WHERE partition = 3 FOR UPDATE")
    other = await connect_writer(ledger.database.writer)
    try:
        epoch = await heads.take_over(other, LAYOUT.number, 3)
        assert epoch == ledger.fence.epochs[3] + 1
        with pytest.raises((*UNREACHABLE, asyncpg.AdminShutdownError)):
            await ledger.connection.execute("COMMIT")
    finally:
        await other.close()


async def test_clocks_of_idle_partitions_move_only_for_their_owner(ledger: Ledger) -> None:
    before = await ledger.connection.fetchval("SELECT min(decided_at) FROM heads")
    ticked = await heads.tick(ledger.connection, 1, ledger.fence.epochs, {})
    assert ticked.keys() == ledger.fence.epochs.keys()
    assert await ledger.connection.fetchval("SELECT min(decided_at) FROM heads") > before
    stale = {**ledger.fence.epochs, 5: 0}
    ahead = {3: datetime.now(UTC) + timedelta(hours=1)}
    ticked = await heads.tick(ledger.connection, 1, stale, ahead)
    assert ticked.keys() == stale.keys() - {5}
    assert ticked[3] == ahead[3] > ticked[4]


async def test_a_failed_batch_leaves_nothing_and_a_usable_connection(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    good = submission(transfer(alice, bob, "1", "key-000001"))
    poison = submission(transfer(alice, bob, "1", "key-\x00-nul"))
    with pytest.raises(asyncpg.PostgresError):
        await ledger.submit(good, poison)
    assert (await ledger.balances(alice)) == [(10_000, 10_000)]
    assert isinstance((await ledger.submit(good))[0].result, TransferPosted)


async def test_a_refused_assignment_is_recorded_and_used_no_key(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    gone = submission(transfer(alice, bob, "1", "key-000001"))
    refusal = Rejection(Code.UNAVAILABLE, "the layout is gone")
    batch = [Assigned(2, gone, refused=refusal)]
    (outcome,) = await execute(ledger.connection, ledger.fence, batch)
    assert outcome.result == refusal
    assert isinstance(await ledger.do(transfer(alice, bob, "1", "key-000001")), TransferPosted)


async def test_a_wallet_that_nobody_has_is_refused(ledger: Ledger) -> None:
    alice = await ledger.wallet("alice-01", "100")
    nobody = UUID(int=7)
    results = await ledger.run(
        transfer(alice, nobody, "1", "key-000001"),
        transfer("no-such-one", alice, "1", "key-000002"),
        ChangeWallet(nobody, WalletStatus.FROZEN),
        ReleaseSession(nobody, "session-1"),
    )
    codes = [r.code for r in results if isinstance(r, Rejection)]
    assert codes == [
        Code.UNKNOWN_WALLET,
        Code.UNKNOWN_WALLET,
        Code.WALLET_NOT_FOUND,
        Code.WALLET_NOT_FOUND,
    ]


async def test_duplicates_over_batches_show_the_original(ledger: Ledger) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    first = await ledger.do(transfer(alice, bob, "10", "key-000001", session_id="session-1"))
    again = await ledger.do(transfer(alice, bob, "10", "key-000001", session_id="session-1"))
    other = await ledger.do(transfer(alice, bob, "11", "key-000001", session_id="session-1"))
    assert isinstance(first, TransferPosted)
    for result, same in ((again, True), (other, False)):
        assert isinstance(result, Rejection)
        assert (result.transfer, result.same_payload) == (first.transfer, same)
    wallet = await ledger.do(CreateWallet("alice-01", "ZAR"))
    assert isinstance(wallet, Rejection)
    assert wallet.wallet is not None
    assert wallet.wallet.wallet.wallet_id == alice
    assert wallet.wallet.balance.current_minor == 9000


async def test_a_wallet_changes_and_closes(ledger: Ledger) -> None:
    alice = await ledger.wallet("alice-01", "100")
    frozen = await ledger.do(ChangeWallet(alice, WalletStatus.FROZEN, name="Alice"))
    assert isinstance(frozen, WalletChanged)
    full = await ledger.do(ChangeWallet(alice, WalletStatus.CLOSED))
    assert isinstance(full, Rejection)
    assert full.code is Code.WALLET_NOT_EMPTY
    await ledger.do(ChangeWallet(alice, WalletStatus.ACTIVE))
    results = await ledger.run(
        transfer(alice, await ledger.system(), "100", "key-000001"),
        ChangeWallet(alice, WalletStatus.CLOSED, metadata={"why": "moved"}),
        transfer(await ledger.system(), alice, "1", "key-000002"),
    )
    assert [type(r).__name__ for r in results] == ["TransferPosted", "WalletChanged", "Rejection"]


async def test_a_big_batch(ledger: Ledger) -> None:
    system = await ledger.system()
    wallets = await ledger.run(*(CreateWallet(f"wallet-{n:04}", "ZAR") for n in range(500)))
    ids = [r.state.wallet.wallet_id for r in wallets if isinstance(r, WalletCreated)]
    results = await ledger.run(
        *(transfer(system, ids[n % 500], "1", f"fund-{n:05}") for n in range(2000))
    )
    assert all(isinstance(r, TransferPosted) for r in results)
    assert await ledger.balances(ids[0]) == [(400, 400)]


async def test_release_commands_name_what_they_released(ledger: Ledger) -> None:
    alice = await ledger.wallet("alice-01", "100")
    one = await ledger.do(reservation(alice, "10", "session-1", "hold-0001"))
    two = await ledger.do(reservation(alice, "10", "session-1", "hold-0002"))
    assert isinstance(one, ReservationPlaced)
    assert isinstance(two, ReservationPlaced)
    first = await ledger.do(ReleaseReservation(alice, one.reservation.reservation_id))
    assert isinstance(first, ReservationsReleased)
    both = await ledger.do(ReleaseSession(alice, "session-1"))
    assert isinstance(both, ReservationsReleased)
    assert [r.reservation_id for r in both.released] == [two.reservation.reservation_id]
    assert await ledger.balances(alice) == [(10_000, 10_000)]


async def test_a_command_id_answers_whatever_it_now_asks(ledger: Ledger) -> None:
    """A redelivery is known by its id alone; what it says the second time does not count."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    command_id = uuid_utils.compat.uuid7()
    first = submission(transfer(alice, bob, "1", "key-000001"), command_id=command_id)
    other = submission(transfer(alice, bob, "2", "key-000002"), command_id=command_id)
    (decided,) = await ledger.submit(first)
    assert await ledger.submit(other) == [decided]
    assert await ledger.balances(alice) == [(9900, 9900)]


async def _waiting_for_locks(connection: asyncpg.Connection, count: int) -> None:
    """Until so many sessions of this database wait for a lock."""

    async def enough() -> bool:
        waiting: int = await connection.fetchval(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return waiting >= count

    await eventually(enough)
