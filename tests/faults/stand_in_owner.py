"""An owner in a process of its own, to be frozen inside a statement.

Arguments: the writer's DSN, a partition, a command as JSON. It takes the partition over, locks its
head row and begins a COPY; there it says ``copying`` and waits for a line of input. Then it tries
to finish, and, as that fails, to run its command under its old epoch; it prints what it was told.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID

import asyncpg
import msgspec

from ledger import heads
from ledger.commands import Submission
from ledger.database import UNREACHABLE, connect_writer
from ledger.execute import Assigned, execute
from ledger.fence import Fence, FenceLost, lock_heads
from tests.integration.ledger_driver import LAYOUT

_ENTRY = (UUID(int=1), 1, UUID(int=2), 1, 1, datetime(2026, 1, 1, tzinfo=UTC))


async def _rows() -> AsyncIterator[tuple[object, ...]]:
    """One entry that no transfer explains: an audit would find it."""
    print("copying", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    yield _ENTRY


async def main(dsn: str, partition: int, command: str) -> str:
    connection = await connect_writer(dsn)
    epoch = await heads.take_over(connection, LAYOUT.number, partition)
    fence = Fence(LAYOUT.number, {partition: epoch})
    try:
        async with connection.transaction():
            await lock_heads(connection, fence, {partition})
            await connection.copy_records_to_table("entries", records=_rows())
    except (*UNREACHABLE, asyncpg.PostgresError):
        pass
    else:
        return "committed"
    submission = msgspec.json.decode(command, type=Submission)
    try:
        await execute(await connect_writer(dsn), fence, [Assigned(partition, submission)])
    except FenceLost as lost:
        return f"lost {sorted(lost.partitions)}"
    return "executed"


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], int(sys.argv[2]), sys.argv[3])), flush=True)
