"""One private PostgreSQL server."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from types import MappingProxyType

import asyncpg

from cli.servers import places, postgres_conf, processes
from cli.servers.binaries import PostgresPrograms
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.servers.places import Say
from cli.servers.processes import ProcessId, Step

NAME = "postgresql"
ADMIN, OWNER, DATABASE = "sov_admin", "sov_owner", "sov"
WRITER, READER, UPLOADER, BANKER = "sov_writer", "sov_reader", "sov_uploader", "sov_banker"
ROLES = WRITER, READER, UPLOADER, BANKER
PORT = "postgresql"
_START_LIMIT_S = 60.0
# Fast shutdown rolls back and writes a checkpoint; past this, immediate (recovery at next start).
_STOP_LIMIT_S = 20.0
# Backends notice the death of their postmaster at once unless they are in the middle of something.
_BACKENDS_END_S = 10.0


class PostgresServer:
    """A cluster in ``folder``, reachable on a loopback port of its own with passwords only.

    ``start`` and ``stop`` may be called in any state and are idempotent. Not safe for two callers
    at once. Roles: the superuser ``sov_admin`` (tests, repairs) and ``sov_owner``, who owns the
    database ``sov`` and may create the working roles, and nothing else.
    """

    name = NAME

    def __init__(self, folder: Path, kept: Kept, programs: PostgresPrograms, say: Say) -> None:
        self._programs = programs
        self._kept = kept
        self._say = say
        self._who = places.run_as("postgres")
        self._place = places.settle(folder, NAME, kept, self._who, say)
        self._data = self._place / "data"
        self._child: subprocess.Popen[bytes] | None = None
        self._process: ProcessId | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        if self._child is not None:
            self._child.poll()  # reaps: a zombie would look alive to others
        return self._process is not None and processes.is_alive(self._process)

    def url(self, user: str, database: str = DATABASE) -> str:
        return url(self._kept, user, database)

    async def start(self) -> None:
        """Adopt the running server or launch it; returns once it answers queries.

        Raises ``ServerUnavailable`` with the end of its log after 60 s.
        """
        self._process = self._left_over()
        if self._process is None:
            await self._bury()
            if not self._data.exists():
                await self._initialise()
            self._launch()
        await self._until_it_answers()
        await ensure_database(self._kept)

    async def stop(self) -> None:
        """Shut down in an orderly way; returns when no process of it is left."""
        await self._stop(
            (signal.SIGINT, _STOP_LIMIT_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)
        )

    async def kill(self) -> None:
        """As if the power failed; returns when no process of it is left."""
        await self._stop((signal.SIGKILL, 5.0))

    async def _stop(self, *steps: Step) -> None:
        process = self._process if self.alive() else self._left_over()
        if process is not None:
            await processes.end_in_steps(process, steps)
        await processes.end(processes.carrying(self._place))
        if self._child is not None:
            self._child.wait()
        self._child = self._process = None

    def _left_over(self) -> ProcessId | None:
        """The postmaster that runs on our data folder, whoever started it."""
        pid = _first_number(self._data / "postmaster.pid")
        if pid is None or not processes.has_argument(pid, str(self._data)):
            return None
        return processes.identify(pid)

    async def _bury(self) -> None:
        """See that nothing of a dead server is left that could write to its data beside a new one.

        A postmaster that was killed is a zombie until its parent (perhaps a container's careless
        first process) takes note, and PostgreSQL takes a zombie for a running server. Only then is
        the lock file removed, and only when no backend is at work in the data folder any more.
        """
        await processes.end(processes.carrying(self._place))
        if self._child is not None:
            self._child.wait()  # one that was at its end when we looked
        lock = self._data / "postmaster.pid"
        pid = _first_number(lock)
        if pid is None or not processes.is_zombie(pid):
            return
        if await processes.gone(processes.working_in(self._data), _BACKENDS_END_S):
            lock.unlink()

    async def _initialise(self) -> None:
        self._say("creating the PostgreSQL data folder")
        # Made beside and renamed when whole: a killed initdb must not look like a cluster.
        fresh = self._place / "data.new"
        await self._as_server("rm", "-rf", str(fresh))
        password_file = places.write_file(
            self._place / "password", self._kept.password(ADMIN) + "\n", self._who
        )
        try:
            await self._as_server(
                str(self._programs.initdb),
                *("--pgdata", str(fresh), "--username", ADMIN, "--pwfile", str(password_file)),
                *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C.UTF-8"),
                "--data-checksums",
            )
        finally:
            password_file.unlink()
        with (fresh / "postgresql.conf").open("a") as conf:
            conf.write(f"\ninclude = '{postgres_conf.FILE}'\n")
        fresh.rename(self._data)

    async def _as_server(self, *arguments: str) -> None:
        process = await asyncio.create_subprocess_exec(
            *arguments,
            user=self._who.uid,
            group=self._who.gid,
            extra_groups=None if self._who.uid is None else [],
            cwd=self._place,
            env=self._environment(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode != 0:
            raise ServerUnavailable(
                f"{Path(arguments[0]).name} failed: {output.decode(errors='replace').strip()}"
            )

    def _environment(self) -> MappingProxyType[str, str]:
        """Nothing of the caller's (PG* variables, locale) may leak into the server."""
        return MappingProxyType(
            {
                "PATH": os.defpath,
                "LC_ALL": "C.UTF-8",
                "HOME": str(self._place),
                processes.MARKER: str(self._place),
            }
        )

    def _launch(self) -> None:
        before = self._kept.port(PORT)
        port = self._kept.claim_port(PORT)
        if before not in (None, port):
            self._say(f"port {before} is taken by somebody else: PostgreSQL moves to {port}")
        log_folder = places.make_folder(self._place / "log", self._who)
        memory_mib = postgres_conf.machine_memory_mib()
        conf = postgres_conf.render(port, log_folder, memory_mib)
        places.write_file(self._data / postgres_conf.FILE, conf, self._who)
        places.write_file(self._data / "pg_hba.conf", postgres_conf.HBA, self._who)
        with (log_folder / "start.log").open("wb") as log:
            self._child = subprocess.Popen(
                [str(self._programs.postgres), "-D", str(self._data)],
                user=self._who.uid,
                group=self._who.gid,
                extra_groups=None if self._who.uid is None else [],
                cwd=self._place,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at our terminal is not the server's business
            )
        self._process = processes.identify(self._child.pid)

    async def _until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        problem = "it did not answer"
        while time.monotonic() < deadline:
            if not self.alive():
                problem = "it ended"
                break
            try:
                connection = await asyncpg.connect(self.url(ADMIN, "postgres"), timeout=5)
            except (OSError, TimeoutError, asyncpg.PostgresError) as error:
                problem = f"{type(error).__name__}: {error}"
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return
        raise ServerUnavailable(f"PostgreSQL did not start: {problem}\n{self._log_tail()}")

    def _log_tail(self) -> str:
        logs = sorted((self._place / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return "\n".join(f"  {line}" for line in lines[-8:])


def _first_number(lock: Path) -> int | None:
    try:
        return int(lock.read_text().splitlines()[0])
    except (FileNotFoundError, IndexError, ValueError):
        return None


def url(kept: Kept, user: str, database: str = DATABASE) -> str:
    """The private server's URL for ``user``, whether it runs or not; its port must be known."""
    return f"postgresql://{user}:{kept.password(user)}@127.0.0.1:{kept.port(PORT)}/{database}"


async def ensure_database(kept: Kept) -> None:
    """The owner's role and the empty database, as the superuser; nothing where they exist."""
    connection = await asyncpg.connect(url(kept, ADMIN, "postgres"), timeout=5)
    try:
        if not await connection.fetchval("select true from pg_roles where rolname = $1", OWNER):
            await connection.execute(f"create role {OWNER} login createrole")
        # The password is hex of our own making, and DDL takes no parameters.
        await connection.execute(f"alter role {OWNER} password '{kept.password(OWNER)}'")
        if not await connection.fetchval(
            "select true from pg_database where datname = $1", DATABASE
        ):
            await connection.execute(f"create database {DATABASE}")
        await connection.execute(f"alter database {DATABASE} owner to {OWNER}")
    finally:
        await connection.close()
