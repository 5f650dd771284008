"""PostgreSQL servers that a test may kill, freeze and fill: nobody else uses them."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from cli.home import compose_file
from cli.servers import postgres, processes, provide
from cli.servers.kept import Kept
from cli.servers.postgres import PostgresServer
from cli.servers.throwaway import reap, temporary_folder
from tests import databases
from tests.databases import Database
from tests.servers import Servers


@dataclass
class OwnPostgres:
    """A private server, and a template of migrated books on it."""

    server: PostgresServer
    place: Path
    """Its own folder, with its data and its log."""
    servers: Servers
    template: str = ""

    @asynccontextmanager
    async def books(self) -> AsyncIterator[Database]:
        """Fresh books, audited at the end; the server has to run then."""
        async with databases.copied(self.servers, self.template) as database:
            yield database

    @asynccontextmanager
    async def administrator(self) -> AsyncIterator[asyncpg.Connection]:
        """A superuser's connection, for which the server keeps a place."""
        connection = await asyncpg.connect(self.server.url(postgres.ADMIN, "postgres"), timeout=5)
        try:
            yield connection
        finally:
            await connection.close()

    async def set(self, **settings: str | None) -> None:
        """Change the configuration of the running server; None takes a setting back."""
        async with self.administrator() as connection:
            for name, value in settings.items():
                change = f"SET {name} = '{value}'" if value is not None else f"RESET {name}"
                await connection.execute(f"ALTER SYSTEM {change}")
            await connection.execute("SELECT pg_reload_conf()")

    async def end_sessions(self) -> None:
        async with self.administrator() as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
            )

    def freeze(self) -> None:
        """Stop every process of it where it stands; the kernel still accepts connections."""
        self._send(signal.SIGSTOP)

    def thaw(self) -> None:
        self._send(signal.SIGCONT)

    def _send(self, number: signal.Signals) -> None:
        # Backends overwrite the environment that would name them; their folder does.
        for process in processes.working_in(self.place / "data"):
            processes.send(process, number)

    def kill_postmaster(self) -> None:
        """SIGKILL, of the postmaster alone: its backends have to notice by themselves."""
        assert self.server.pid is not None
        os.kill(self.server.pid, signal.SIGKILL)


@asynccontextmanager
async def own_postgres(servers: Servers) -> AsyncIterator[OwnPostgres]:
    """A server of the test's own, which uses the session's broker; gone at the end."""
    folder = await asyncio.to_thread(temporary_folder, "sov-fault-")
    kept = Kept(folder)
    try:
        # Installs what is missing: a machine without the programs is no reason to skip.
        (server,) = await provide.provide(
            folder, kept, print, names=(postgres.NAME,), compose_file=compose_file()
        )
        assert isinstance(server, PostgresServer), "only an installed PostgreSQL can be killed"
        await server.start()
        place = kept.place(postgres.NAME)
        assert place is not None
        own = OwnPostgres(
            server,
            place,
            Servers(
                "own", server.url(postgres.ADMIN), server.url(postgres.OWNER), servers.amqp_url
            ),
        )
        own.template = await databases.make_template(own.servers)
        try:
            yield own
        finally:
            own.thaw()
            await server.kill()
    finally:
        await reap(folder)
