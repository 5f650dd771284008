"""No queue: ``python -m bench.baselines.direct`` answers each write with one PostgreSQL call.

It is the product's own gateway, so that routing, validation, auth, encoding and the server are the
same and as fast; only the way to the queue and back is replaced by a pool of connections and one
PL/pgSQL function per kind of command (``direct.sql``): one round trip, one transaction, the same
tables, indexes, rules and order of refusals.

What it does not do, to its advantage: head rows and the hash chain (there is no consumer to fence
off), and publishing events.
"""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import replace
from datetime import datetime
from importlib import resources
from typing import Any, Final

import asyncpg
import msgspec
import uuid_utils.compat
from iso4217 import Currency

import gateway.__main__ as entry
from bench.baselines.changing import change
from bench.baselines.direct_answers import reservation_placed, transfer_posted
from gateway.auth import KeyRing
from gateway.backend import Services
from gateway.books import Books
from gateway.machinery import Machinery
from gateway.process import Gateway
from ledger import keys
from ledger.commands import Command, PlaceReservation, PostTransfer
from ledger.database import connect_owner, reader_pool
from ledger.deployment import Deployment
from ledger.outcomes import Outcome, Result
from ledger.waiting import wait_for_books
from producers.commands import Answered, Pending
from topology.command_ids import CommandIds
from topology.errors import Unavailable
from topology.settings import Settings

#: How many connections this process writes on.
CONNECTIONS: Final = "SOV_BENCH_CONNECTIONS"
#: Where its outcomes go: a partition that the product's filling does not use.
PARTITION: Final = 100

_READ_CONNECTIONS: Final = 8
_SETTINGS: Final = {
    "application_name": "sov-direct",
    "search_path": "sov",
    "timezone": "UTC",
    "synchronous_commit": "on",
    "lock_timeout": "5s",
    "enable_seqscan": "off",
    "plan_cache_mode": "force_generic_plan",
    "jit": "off",
}
_TRANSFER: Final = (
    "SELECT * FROM direct_transfer($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11::text::json,$12)"
)
_RESERVATION: Final = "SELECT * FROM direct_reservation($1,$2,$3,$4,$5,$6,$7,$8,$9,$10)"


async def prepare(owner_dsn: str) -> None:
    """Make the functions; only books that the product does not write to may have them."""
    connection = await connect_owner(owner_dsn)
    try:
        await connection.execute(resources.files(__package__).joinpath("direct.sql").read_text())
        await connection.executemany(
            "INSERT INTO direct_currencies (currency, digits) VALUES ($1, $2)",
            [(c.code, c.exponent) for c in Currency if c.exponent is not None],
        )
    finally:
        await connection.close()


class DirectSender:
    """``gateway.backend.Sender`` without a queue: a command is decided before ``ask`` returns."""

    def __init__(self, pool: asyncpg.Pool[Any], deployment: Deployment) -> None:
        self._pool = pool
        self.command_ids = CommandIds(deployment.command_id_secret)

    async def ask(
        self,
        command: Command,
        *,
        actor: str,
        wait_s: float,
        spent_s: float = 0.0,
        deadline: datetime | None = None,
        trace: str | None = None,
    ) -> Answered | Pending:
        async with asyncio.timeout(wait_s - spent_s), self._pool.acquire() as connection:
            outcome = await _decided(connection, command, actor)
        return Answered(outcome.command_id, outcome)

    async def send(
        self,
        command: Command,
        *,
        actor: str,
        deadline: datetime | None = None,
        trace: str | None = None,
    ) -> Pending:
        raise Unavailable("there is no queue to send it to")


async def _decided(connection: Any, command: Command, actor: str) -> Outcome:
    command_id = uuid_utils.compat.uuid7()
    result: Result
    match command:
        case PostTransfer(from_wallet=source, to_wallet=target):
            transfer_id = uuid_utils.compat.uuid7()
            row = await connection.fetchrow(
                _TRANSFER,
                transfer_id,
                command_id,
                command.external_unique_id,
                source.wallet_id,
                target.wallet_id,
                command.amount,
                command.currency,
                command.session_id,
                command.external_id,
                command.description,
                msgspec.json.encode(command.metadata).decode() if command.metadata else None,
                actor,
            )
            result = await transfer_posted(connection, command, command_id, transfer_id, row)
        case PlaceReservation():
            reservation_id = uuid_utils.compat.uuid7()
            row = await connection.fetchrow(
                _RESERVATION,
                reservation_id,
                command_id,
                command.external_unique_id,
                command.wallet_id,
                command.amount,
                command.currency,
                command.session_id,
                command.expires,
                command.description,
                actor,
            )
            result = reservation_placed(command, reservation_id, row)
        case _:
            raise Unavailable("this baseline has transfers and reservations only")
    return Outcome(command_id, PARTITION, row["number"], row["decided"], result, actor)


class _Connection(asyncpg.Connection):
    """Nothing is left behind on a session: resetting it would double the round trips."""

    def get_reset_query(self) -> str:
        return ""


class DirectMachinery(Machinery):
    """The gateway's machinery without its way to the queue and back, which never runs."""

    pool: asyncpg.Pool[Any]

    @classmethod
    async def opened(cls, reader_dsn: str, writer_dsn: str) -> DirectMachinery:
        deployment = await wait_for_books(reader_dsn)
        own = Books(await reader_pool(reader_dsn, size=2))
        reading = Books(await reader_pool(reader_dsn, size=_READ_CONNECTIONS))
        machinery = cls(deployment, "", own, reading)
        size = int(os.environ[CONNECTIONS])
        machinery.pool = await asyncpg.create_pool(
            writer_dsn,
            min_size=size,
            max_size=size,
            server_settings=_SETTINGS,
            connection_class=_Connection,
        )
        return machinery

    def services(self) -> Services:
        return replace(super().services(), sender=DirectSender(self.pool, self._deployment))

    def checks(self) -> dict[str, str]:
        return {"database": self.clock.problem}

    async def run(self, ring: KeyRing) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self.clock.run())
            group.create_task(ring.run(lambda: keys.load_all(self._own)))

    async def close(self) -> None:
        await super().close()
        self.pool.terminate()


class DirectGateway(Gateway):
    """The gateway, with that machinery."""

    def __init__(self, settings: Settings, opened: socket.socket, folder: str | None) -> None:
        super().__init__(settings, opened, folder)
        self._writer_dsn = settings.writer_dsn

    async def _work(self) -> None:
        machinery = await DirectMachinery.opened(self._reader_dsn, self._writer_dsn)
        self._machinery = machinery
        self._backend.connect(machinery.services())
        try:
            await machinery.run(self._ring)
        finally:
            await machinery.close()


def main() -> int:
    """As the gateway's own, its tuning of the interpreter included."""
    change(entry, "Gateway", DirectGateway)
    return entry.main()


if __name__ == "__main__":
    sys.exit(main())
