"""A whole system in a temporary home, with private servers of its own."""

from __future__ import annotations

import asyncio
import json
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from cli.home import Home
from cli.servers import processes
from cli.servers.processes import ProcessId
from cli.servers.throwaway import temporary_folder
from cli.supervision import state
from tests.acceptance.conftest import environment_of, exported, sov

SERVERS = ("postgresql", "rabbitmq")


@dataclass(frozen=True, slots=True)
class System:
    """Where it is, how to call it, and which processes are its own."""

    home: Home
    url: str
    keys: Mapping[str, str]
    database_url: str
    environment: Mapping[str, str]

    def child(self, program: str) -> ProcessId | None:
        """One of our processes that runs this program; None while none does."""
        snapshot = state.read(self.home.state_file)
        for view in snapshot.processes if snapshot else ():
            found = view.identity
            if view.name.partition("-")[0] == program and found and processes.is_alive(found):
                return found
        return None

    def server(self, name: str) -> ProcessId | None:
        """The postmaster, or the broker's node; None while there is none."""
        snapshot = state.read(self.home.state_file)
        own = {process.pid: process for process in self.server_processes(name)}
        for view in snapshot.processes if snapshot else ():
            if view.name == name and view.pid in own:
                return own[view.pid]
        return None

    def server_processes(self, name: str) -> list[ProcessId]:
        """All processes of a private server, helpers included."""
        return _processes_of(self.home, name)

    def all_ready(self) -> bool:
        snapshot = state.read(self.home.state_file)
        return snapshot is not None and snapshot.ready and not snapshot.is_stale

    async def broken_rules(self) -> list[str]:
        """What ``./sov verify`` finds: rules with their first offenders, or why it said nothing."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "verify", "--json"),
            env=dict(self.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        if not out:
            return [f"exit code {process.returncode}: {err.decode(errors='replace')[-500:]}"]
        said = json.loads(out)
        broken = [
            f"{rule['rule']}: {rule['offenders']}" for rule in said["rules"] if not rule["holds"]
        ]
        if process.returncode != 0 and not broken:
            broken.append(f"exit code {process.returncode}")
        return broken

    def save_logs(self, folder: Path) -> None:
        shutil.copytree(self.home.log_folder, folder / "log", dirs_exist_ok=True)


@asynccontextmanager
async def brought_up() -> AsyncIterator[System]:
    """``./sov up --detach``, and ``./sov down --wipe`` at the end."""
    folder = temporary_folder("sov-torture-")
    environment = environment_of(folder)
    home = Home(folder)
    try:
        await sov(environment, "up", "--detach")
        shown = exported(await sov(environment, "env"))
        yield System(
            home=home,
            url=shown["SOV_URL"],
            keys={role: shown[f"SOV_KEY_{role.upper()}"] for role in ("eclipse", "operator")},
            database_url=shown["SOV_DATABASE_URL"],
            environment=environment,
        )
    finally:
        _thaw(home)
        await sov(environment, "down", "--wipe")
        shutil.rmtree(folder)


def _processes_of(home: Home, name: str) -> list[ProcessId]:
    """By the mark that they carry; PostgreSQL's backends write their title over it, and are known
    by the folder that they work in."""
    place = home.kept.place(name)
    if place is None:
        return []
    return list({*processes.carrying(place), *processes.working_in(place / "data")})


def _thaw(home: Home) -> None:
    """A run that was cut short in a stall leaves nothing frozen: it could not be stopped."""
    for name in SERVERS:
        for process in _processes_of(home, name):
            processes.send(process, signal.SIGCONT)
