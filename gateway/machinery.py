"""Everything behind HTTP, from the moment the books have been reached."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from bank.payouts.approvals import Tier
from gateway.answers import Answers
from gateway.auth import KeyRing
from gateway.backend import Extracts, Files, Services
from gateway.books import Books
from gateway.problems import DATABASE_AWAY
from gateway.remembered import Currencies, Originals, WalletNames
from gateway.watching import QueueWatch
from ledger import keys
from ledger.database import banker_pool, reader_pool, uploader_pool
from ledger.deployment import Deployment
from ledger.waiting import wait_for_books
from producers.clock import DatabaseClock
from producers.commands import Commands
from producers.intake import Intake
from producers.publisher import Publisher
from producers.reconciliations import ReconciliationCommands
from producers.replies import Replies
from topology.errors import Unavailable
from topology.process import end

#: Callers' reads. More at once than a database has cores would queue there instead of here.
_READ_CONNECTIONS: Final = 8
#: Clock, keys, layout and lost outcomes: never behind callers' reads.
_OWN_CONNECTIONS: Final = 2
#: Uploads: each holds one only while a piece is written.
_FILE_CONNECTIONS: Final = 4
#: What concerns the bank: people's calls, of which there are few.
_BANK_CONNECTIONS: Final = 4
_RETRY_S: Final = 0.5
_CLOSE_LIMIT_S: Final = 1.0

_log = structlog.get_logger(__name__)


class PartEnded(Exception):
    """A defect: without that part callers would wait for nothing. The process must not go on."""


class Machinery:
    """The clock, the way to the queue and back, and the connections for reads."""

    def __init__(
        self,
        deployment: Deployment,
        amqp_url: str,
        own: Books,
        reading: Books,
        files: Files | None = None,
        bank: Books | None = None,
        payout_tiers: Sequence[Tier] = (),
        extracts: Extracts | None = None,
    ) -> None:
        layout = deployment.layout
        name = f"gateway {os.getpid()}"
        self._deployment, self._own, self._reading = deployment, own, reading
        self._files, self._bank, self._payout_tiers = files, bank, payout_tiers
        self._extracts = extracts
        self.clock = DatabaseClock(own)
        self._intake = Intake(own, deployment)
        self.replies = Replies(amqp_url, f"{name} replies", own)
        self.publisher = Publisher(
            amqp_url,
            f"{name} commands",
            layout.number,
            layout.partitions,
            self.clock.now,
            lambda: self.replies.queue,
        )
        self._queues = QueueWatch(self.publisher, layout)

    @classmethod
    async def connect(
        cls,
        reader_dsn: str,
        amqp_url: str,
        uploader_dsn: str | None,
        banker_dsn: str | None,
        most_bytes: int,
        most_staged: int,
        payout_tiers: Sequence[Tier],
    ) -> Machinery:
        """Waits for the books as long as it takes. Raises ``SchemaOutdated`` or ``NotPrepared``
        where they are there and not ours."""
        while True:
            deployment = await wait_for_books(reader_dsn)
            try:
                own = Books(await reader_pool(reader_dsn, size=_OWN_CONNECTIONS))
                reading = Books(await reader_pool(reader_dsn, size=_READ_CONNECTIONS))
            except DATABASE_AWAY as error:
                _log.warning("database.lost_while_connecting", error=repr(error))
                await asyncio.sleep(_RETRY_S)
            else:
                files = None
                if uploader_dsn is not None:
                    # Connected when the first file comes: no other call is to depend on it.
                    pool = await uploader_pool(uploader_dsn, size=_FILE_CONNECTIONS)
                    files = Files(Books(pool), most_bytes, most_staged)
                bank = None
                if banker_dsn is not None:
                    bank = Books(await banker_pool(banker_dsn, size=_BANK_CONNECTIONS))
                extracts = Extracts(
                    ReconciliationCommands(amqp_url, f"gateway {os.getpid()} reconciliations"),
                    most_bytes,
                    most_staged,
                )
                return cls(deployment, amqp_url, own, reading, files, bank, payout_tiers, extracts)

    def services(self) -> Services:
        """What the routes use of it."""
        commands = Commands(
            deployment=self._deployment,
            clock=self.clock,
            intake=self._intake,
            publisher=self.publisher,
            replies=self.replies,
        )
        return Services(
            books=self._reading,
            sender=commands,
            clock=self.clock,
            answers=Answers(commands.command_ids),
            names=WalletNames(self._reading),
            originals=Originals(self._reading),
            currencies=Currencies(self._reading),
            files=self._files,
            bank=self._bank,
            payout_tiers=self._payout_tiers,
            extracts=self._extracts,
        )

    def checks(self) -> Mapping[str, str]:
        """What is wrong with each part; empty where nothing is."""
        return {
            "database": self.clock.problem,
            "broker": self._broker(),
            "replies": "" if self.replies.queue else "there is no reply queue",
            "queues": self._queues.problem,
            "intake": self._intake.problem,
        }

    async def run(self, ring: KeyRing) -> None:
        """Keep all of it going, until cancelled. Raises ``LayoutChanged``."""
        tasks = [
            asyncio.ensure_future(part)
            for part in (
                self.clock.run(),
                self.publisher.run(),
                self.replies.run(),
                ring.run(lambda: keys.load_all(self._own)),
                self._queues.run(),
                self._intake.run(),
            )
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if not task.cancelled():
                    task.result()
            raise PartEnded("a part of the gateway that never ends has ended")
        finally:
            await end(tasks)

    async def close(self) -> None:
        files = () if self._files is None else (self._files.store,)
        bank = () if self._bank is None else (self._bank,)
        for books in (self._reading, self._own, *files, *bank):
            await books.close(_CLOSE_LIMIT_S)
        if self._extracts is not None:
            await self._extracts.commands.close()

    def _broker(self) -> str:
        try:
            self.publisher.require_open()
        except Unavailable as error:
            return str(error)
        return ""
