"""An owner that stops in the middle of a statement and comes to itself after it was replaced."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import msgspec

from consumers.applying import apply
from consumers.writer import Writer
from ledger.commands import Submission
from ledger.database import connect_owner
from ledger.execute import Assigned
from ledger.outcomes import TransferPosted
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, Ledger, submission, transfer

PARTITION = 4
PATIENCE_S = 30.0


@asynccontextmanager
async def stand_in(
    database: Database, command: Submission
) -> AsyncIterator[asyncio.subprocess.Process]:
    """The process of ``stand_in_owner``, inside its COPY."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "tests.faults.stand_in_owner"),
        *(database.writer, str(PARTITION), msgspec.json.encode(command).decode()),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert await told(process) == "copying"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def told(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        return (await process.stdout.readline()).decode().strip()


async def test_an_owner_frozen_inside_a_statement_is_ended_and_writes_nothing(
    ledger: Ledger,
) -> None:
    """SIGSTOP hits a consumer inside a COPY. Its backend waits for data, with the head row locked,
    and no timeout of the server ends that. The next owner does; and the frozen one, thawed, can
    neither finish what it had begun nor start anything under its epoch."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    stale = submission(transfer(alice, bob, "1", "key-000001"))
    payment = submission(transfer(alice, bob, "2", "key-000002"))
    owner = await connect_owner(ledger.database.owner)
    successor = Writer(ledger.database.writer, LAYOUT.number)
    try:
        async with stand_in(ledger.database, stale) as frozen:
            frozen.send_signal(signal.SIGSTOP)
            state = await owner.fetchrow(
                "SELECT a.pid, a.state FROM heads h JOIN pg_stat_activity a ON a.pid = h.owner_pid"
                " WHERE h.partition = $1",
                PARTITION,
            )
            assert state is not None
            assert state["state"] == "active", "idle in a transaction would end by itself"
            await successor.take_over(PARTITION)
            assert not await owner.fetch(
                "SELECT FROM pg_stat_activity WHERE pid = $1", state["pid"]
            )
            applied = await apply(successor, [Assigned(PARTITION, payment)])
            frozen.send_signal(signal.SIGCONT)
            assert frozen.stdin is not None
            frozen.stdin.write(b"go on\n")
            assert await told(frozen) == f"lost [{PARTITION}]"
    finally:
        await owner.close()
        await successor.close()
    assert isinstance(applied.outcomes[payment.command_id].result, TransferPosted)
    assert await ledger.balances(alice, bob) == [(9800, 9800), (200, 200)]
