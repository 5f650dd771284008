"""A batch in slices: one is written while the next one is decided, and all of it is one whole."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import pytest

from ledger.commands import CreateWallet, Submission
from ledger.database import connect_owner
from ledger.decide import decide
from ledger.outcomes import Result, TransferPosted
from ledger.rejections import Code, Rejection
from tests.integration.ledger_driver import Ledger, reservation, submission, transfer
from tests.polling import eventually


@pytest.fixture(autouse=True)
def slices_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ledger.execute.SLICE", 2)
    monkeypatch.setattr("ledger.execute._TURN", 1)


async def test_what_one_slice_did_the_next_one_knows(ledger: Ledger) -> None:
    system, alice = await ledger.system(), await ledger.wallet("alice-01")
    held = await ledger.run(
        *(transfer(system, alice, "100", "key-000001"), CreateWallet("bob-0001", "ZAR")),
        *(reservation(alice, "60", "session-1", "hold-0001"), CreateWallet("eve-0001", "ZAR")),
        *(transfer(alice, system, "50", "key-000002"), transfer(alice, system, "1", "key-000001")),
        transfer(alice, system, "60", "key-000003", session_id="session-1"),
        transfer(alice, system, "40", "key-000004"),
    )
    assert [r.code for r in held if isinstance(r, Rejection)] == [
        Code.INSUFFICIENT_FUNDS,
        Code.DUPLICATE_TRANSFER,
    ]
    assert [type(r) for r in held[-2:]] == [TransferPosted] * 2
    assert await ledger.balances(alice) == [(0, 0)]


async def test_links_of_one_transaction(ledger: Ledger) -> None:
    """The audit behind every test follows the chain; here it has a link for every slice."""
    system, alice = await ledger.system(), await ledger.wallet("alice-01")
    await ledger.run(*(transfer(system, alice, "1", f"key-{n:06}") for n in range(10)))
    owner = await connect_owner(ledger.database.owner)
    try:
        assert await owner.fetchval("SELECT max(last_number - first_number + 1) FROM chain") == 2
    finally:
        await owner.close()


async def test_a_defect_while_a_slice_is_written(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the batch is kept, and the connection is good for the next one."""
    system, alice = await ledger.system(), await ledger.wallet("alice-01")
    batch = [submission(transfer(system, alice, "1", f"key-{n:06}")) for n in range(6)]

    def failing(each: Submission, *rest: Any) -> Result:
        if each is batch[3]:
            raise ValueError("a defect")
        return decide(each, *rest)

    async with nobody_posts(ledger) as waiting:
        with monkeypatch.context() as broken:
            broken.setattr("ledger.execute.decide", failing)
            deciding = asyncio.ensure_future(ledger.submit(*batch))
            await eventually(waiting)
    with pytest.raises(ValueError, match="a defect"):
        await deciding
    await assert_posted_now(ledger, alice, batch)


async def test_cancelled_while_a_slice_is_written(ledger: Ledger) -> None:
    system, alice = await ledger.system(), await ledger.wallet("alice-01")
    batch = [submission(transfer(system, alice, "1", f"key-{n:06}")) for n in range(6)]
    async with nobody_posts(ledger) as waiting:
        deciding = asyncio.ensure_future(ledger.submit(*batch))
        await eventually(waiting)
        deciding.cancel()
        with pytest.raises(asyncio.CancelledError):
            await deciding
    await assert_posted_now(ledger, alice, batch)


async def assert_posted_now(ledger: Ledger, wallet: UUID, batch: Sequence[Submission]) -> None:
    """Nothing was moved before, and the same connection moves all of it."""
    assert await ledger.balances(wallet) == [(0, 0)]
    outcomes = await ledger.submit(*batch)
    assert [type(o.result) for o in outcomes] == [TransferPosted] * len(batch)


@asynccontextmanager
async def nobody_posts(ledger: Ledger) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """Transfers are read and not written meanwhile; answers whether somebody waits for that."""
    owner = await connect_owner(ledger.database.owner)

    async def waiting() -> bool:
        return bool(await owner.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

    try:
        async with owner.transaction():
            await owner.execute("LOCK TABLE transfers IN SHARE MODE")
            yield waiting
    finally:
        await owner.close()
