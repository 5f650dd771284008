"""The lane's one connection to PostgreSQL, and the fence under which it writes."""

from __future__ import annotations

from typing import Any, Final

import asyncpg
import structlog

from consumers.turns import Turns
from ledger import heads
from ledger.database import UNREACHABLE, connect_writer
from ledger.fence import Fence
from ledger.transaction import begin, rollback

#: The server is a standby by now, or silent, or has ended the session without being heard.
_USELESS: Final = (
    asyncpg.ReadOnlySQLTransactionError,
    TimeoutError,
    asyncpg.InternalClientError,
)

_log = structlog.get_logger(__name__)


class Stopping(Exception):
    """The process was told to stop while it waited for the database: what is not acked comes again
    to the next owner, and what was committed of it is only answered there."""


class Writer:
    """A connection that is opened again when it is gone, always under the same epochs."""

    def __init__(self, dsn: str, layout: int) -> None:
        self._dsn = dsn
        self._layout = layout
        self._epochs: dict[int, int] = {}
        self._connection: asyncpg.Connection[Any] | None = None
        self._lost: frozenset[int] = frozenset()
        self.turns = Turns()
        self.stopping = False
        """Set when waiting for a database that is away has become pointless."""

    @property
    def fence(self) -> Fence:
        return Fence(self._layout, self._epochs)

    def take_lost(self) -> frozenset[int]:
        """Partitions found lost since the last call."""
        lost, self._lost = self._lost, frozenset()
        return lost

    def give_up(self, partition: int) -> None:
        """Forget the epoch: the partition's channel is closed."""
        self._epochs.pop(partition, None)

    async def take_over(self, partition: int) -> int:
        """Become the partition's owner; raises ``heads.Unowned`` or a database error."""
        epoch = await heads.take_over(await self.connection(), self._layout, partition)
        self._epochs[partition] = epoch
        _log.info("partition.taken_over", partition=partition, epoch=epoch)
        return epoch

    async def begin_early(self) -> None:
        """Open the next batch's transaction while nobody waits for it: a lone transfer is spared a
        round trip. It holds nothing until its first lock; where that fails the batch will see."""
        if self._connection is None or self._connection.is_closed():
            return
        try:
            await begin(self._connection)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            _log.info("writer.begin_early", error=repr(error))
            self.heed(error)

    async def take_turn(self) -> None:
        """Where this process and another wait for each other: open the next batch's transaction,
        and wait there for its turn, before the batch is gathered."""
        if not self.turns.wanted() or self._connection is None or self._connection.is_closed():
            return
        try:
            await begin(self._connection)
            await heads.wait_for_turn(self._connection)
        except (*UNREACHABLE, asyncpg.PostgresError) as error:
            _log.info("writer.take_turn", error=repr(error))
            self.turns.give_up()
            self.heed(error)
            await self.end_early()

    async def end_early(self) -> None:
        """End a transaction in which nothing came to be done, long before the server would."""
        connection = self._connection
        if connection is not None and not connection.is_closed() and connection.is_in_transaction():
            await rollback(connection)

    async def connection(self) -> asyncpg.Connection[Any]:
        """The connection, outside any transaction. Raises what connecting raises."""
        connection = await self.begun_connection()
        if connection.is_in_transaction():
            await rollback(connection)
            connection = await self.begun_connection()
        return connection

    async def begun_connection(self) -> asyncpg.Connection[Any]:
        """The connection, opened anew where it was lost, perhaps in a transaction that has done
        nothing yet. Raises what connecting raises.

        After it was lost, no transaction of the old one can still commit: the head rows have been
        locked under the old epochs, which waits for the old backend. What that transaction did can
        be read now, and a command it decided is only answered when it is run again.
        """
        if self._connection is None or self._connection.is_closed():
            connection = await connect_writer(self._dsn)
            try:
                lost = await heads.reown(connection, self.fence)
            except BaseException:
                connection.terminate()
                raise
            for partition in lost:
                self.give_up(partition)
            self._lost |= lost
            self._connection = connection
        return self._connection

    def heed(self, error: BaseException) -> None:
        """Throw the connection away where the error says that it only looks open."""
        if self._connection is not None and isinstance(error, _USELESS):
            self._connection.terminate()

    async def close(self) -> None:
        if self._connection is not None and not self._connection.is_closed():
            await self._connection.close(timeout=3)
