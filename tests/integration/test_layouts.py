"""From one layout to the next: the books' side, without a broker."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from ledger import heads, interventions, layouts, reads
from ledger.database import connect_owner
from ledger.deployment import Layout, read_deployment
from ledger.fence import FenceLost
from ledger.interventions import State
from ledger.layouts import LayoutMoved, NoLayoutLeft
from ledger.outcomes import TransferPosted
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, Ledger, submission, transfer
from topology.command_ids import new_command_id


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect_owner(database.owner)
    yield connection
    await connection.close()


async def move(owner: asyncpg.Connection[Any], partitions: int) -> Layout:
    current = (await read_deployment(owner)).layout
    return await layouts.move(owner, current, partitions, actor="test", reason="a test")


async def test_numbers_and_chains_go_on_through_fewer_and_more_partitions(
    database: Database, ledger: Ledger, owner: asyncpg.Connection[Any]
) -> None:
    """The audit at the end follows every chain over all layouts."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    for partitions in (3, 12, 8):
        layout = await move(owner, partitions)
        async with Ledger.opened(database, layout) as moved:
            for turn in range(12):
                wallet = await moved.wallet(f"wallet-{partitions:02}-{turn:02}", "5")
                paid = await moved.do(transfer(wallet, bob, "1", f"pay-{partitions}-{turn:04}"))
                assert isinstance(paid, TransferPosted)
            key = f"alice-{partitions:04}"
            assert isinstance(await moved.do(transfer(alice, bob, "1", key)), TransferPosted)
    assert (await read_deployment(owner)).layout == Layout(4, 8)
    rows = await owner.fetch("SELECT partition, layout FROM heads ORDER BY partition")
    assert [row["layout"] for row in rows] == [4] * 8 + [0] * 4
    assert await owner.fetchval("SELECT count(*) FROM relay_cursors") == 12


async def test_the_former_owner_finds_nothing_to_lock(
    ledger: Ledger, owner: asyncpg.Connection[Any]
) -> None:
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    await move(owner, 8)
    with pytest.raises(FenceLost) as lost:
        await ledger.do(transfer(alice, bob, "1", "key-000001"))
    assert lost.value.partitions
    with pytest.raises(heads.Unowned):
        await heads.take_over(ledger.connection, LAYOUT.number, 0)
    assert await heads.tick(ledger.connection, 1, ledger.fence.epochs, {}) == {}
    assert await ledger.balances(bob) == [(0, 0)]


async def test_a_command_of_an_earlier_layout_ends_when_its_deadline_has_passed(
    ledger: Ledger, owner: asyncpg.Connection[Any]
) -> None:
    now = (await reads.times(owner)).now
    early, late = now + timedelta(seconds=1), now + timedelta(hours=1)
    await move(owner, 2)
    await owner.execute("UPDATE heads SET decided_at = decided_at + interval '1 minute'")
    for partition in (0, 7):
        for deadline, over in ((early, True), (late, False)):
            command_id = new_command_id(1, partition, deadline)
            state = await reads.command_state(owner, command_id, 1, partition)
            assert state is not None
            assert state.outcome is None
            assert (state.partition_decided_at >= deadline) is over


async def test_nothing_is_decided_earlier_than_before_the_move(
    database: Database, ledger: Ledger, owner: asyncpg.Connection[Any]
) -> None:
    """One partition's clock was ahead; a wallet's next partition may be another."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    ahead = datetime.now(UTC) + timedelta(hours=1)
    await owner.execute("UPDATE heads SET decided_at = $1 WHERE partition = 3", ahead)
    layout = await move(owner, 8)
    async with Ledger.opened(database, layout) as moved:
        command = submission(
            transfer(alice, bob, "1", "key-000001"), deadline=ahead + timedelta(hours=1)
        )
        (outcome,) = await moved.submit(command)
    assert isinstance(outcome.result, TransferPosted)
    assert outcome.decided > ahead


async def test_two_at_once_move_once(database: Database, owner: asyncpg.Connection[Any]) -> None:
    await layouts.move(owner, LAYOUT, 4, actor="test", reason="first")
    with pytest.raises(LayoutMoved):
        await layouts.move(owner, LAYOUT, 5, actor="test", reason="second")
    with pytest.raises(NoLayoutLeft):
        await layouts.move(owner, Layout(255, 4), 5, actor="test", reason="third")
    assert (await read_deployment(owner)).layout == Layout(2, 4)


async def test_a_drain_ends_by_itself_and_a_pause_does_not(
    owner: asyncpg.Connection[Any],
) -> None:
    more: dict[str, Any] = {"actor": "test", "reason": "a test"}
    await interventions.record(owner, [1, 2], State.PAUSED, **more)
    await interventions.record(
        owner, [3], State.DRAINING, lasting=timedelta(microseconds=1), **more
    )
    await interventions.record(owner, [4], State.DRAINING, lasting=timedelta(hours=1), **more)
    await interventions.record(owner, [2], State.OPEN, **more)
    found = await interventions.in_force(owner)
    assert {p: i.state for p, i in found.items()} == {1: State.PAUSED, 4: State.DRAINING}
    assert (found[1].actor, found[1].reason) == ("test", "a test")
