"""A consumer as a process of its own, with proxies on its ways: to be killed and frozen."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from cli.home import path_for_children
from ledger.database import connect_owner
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker
from tests.polling import eventually
from tests.proxy import Proxy


@dataclass
class ConsumerProcess:
    """``python -m consumers``, and the proxies between it and its servers."""

    process: subprocess.Popen[bytes]
    to_books: Proxy
    to_broker: Proxy

    def freeze(self) -> None:
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.process.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        """SIGKILL; its connections end with it, those that a trap holds open included."""
        self.process.kill()
        self.process.wait()
        await self.to_books.cut()
        await self.to_broker.cut()

    async def vanish(self) -> None:
        """Its servers lose sight of it, as if its machine were gone; it does not know yet."""
        await self.to_books.cut()
        await self.to_broker.cut()


@asynccontextmanager
async def consumer_process(
    database: Database, broker: Broker, *, slot: int = 0, slots: int = 1
) -> AsyncIterator[ConsumerProcess]:
    """Runs for the time of the block, and is killed at its end."""
    async with (
        Proxy.before(database.writer) as (to_books, writer),
        Proxy.before(broker.url) as (to_broker, url),
    ):
        environment = {
            **os.environ,
            **path_for_children(os.environ),
            "SOV_DATABASE_URL_WRITER": writer,
            "SOV_AMQP_URL_CONSUMER": url,
            "SOV_CONSUMER_SLOT": str(slot),
            "SOV_CONSUMER_SLOTS": str(slots),
        }
        process = _start(environment)
        try:
            yield ConsumerProcess(process, to_books, to_broker)
        finally:
            process.send_signal(signal.SIGCONT)
            process.kill()
            process.wait()


def _start(environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-m", "consumers"], env=environment)


async def epochs(database: Database) -> dict[int, int]:
    """How often each partition has been taken over."""
    owner = await connect_owner(database.owner)
    try:
        rows = await owner.fetch("SELECT partition, epoch FROM heads")
    finally:
        await owner.close()
    return {row["partition"]: row["epoch"] for row in rows}


async def taken_over(database: Database, since: dict[int, int], partitions: set[int]) -> None:
    """Wait until each of these partitions has another owner than it had ``since``."""

    async def all_are() -> bool:
        now = await epochs(database)
        return all(now[p] > since[p] for p in partitions)

    await eventually(all_are, within_s=40)


ALL = set(range(LAYOUT.partitions))
