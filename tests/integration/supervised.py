"""A supervisor at work inside the test, with stand-in programs and a stand-in server."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from cli.home import path_for_children
from cli.servers.failures import ServerUnavailable
from cli.servers.places import Say
from cli.servers.provide import Server
from cli.supervision import state
from cli.supervision.child import Limits, Plan
from cli.supervision.state import ProcessView
from cli.supervision.supervisor import Supervisor, Surroundings
from tests.polling import until
from topology.vitals import LISTEN


class StandInServer:
    """A server that is one sleeping process."""

    name = "stand-in"

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self._process: asyncio.subprocess.Process | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    async def start(self) -> None:
        if self.failures:
            self.failures -= 1
            raise ServerUnavailable("not today")
        self._process = await asyncio.create_subprocess_exec("sleep", "1000")

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            await self._process.wait()


async def nothing() -> None:
    """What most supervisors here do before their servers."""


class Running:
    """A supervisor at work in this process, seen through its state file as others see it."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.said: list[str] = []
        self.cannot_say = False
        self.stop = asyncio.Event()
        self.at_first: Callable[[], Awaitable[None]] = nothing
        self.plans: list[Plan] = []
        self.servers: list[Server] = []
        self.listening: socket.socket | None = None

    def plan(self, name: str, behaviour: str = "well", stage: int = 1) -> None:
        environment = {**os.environ, **path_for_children(os.environ)}
        inherits: tuple[int, ...] = ()
        if self.listening is not None:
            inherits = (self.listening.fileno(),)
            environment[LISTEN] = str(self.listening.fileno())
        program = "tests.integration.stand_in_child"
        arguments = (sys.executable, "-m", program, name, str(self.journal), behaviour)
        log = self.folder / f"{name}.log"
        self.plans.append(Plan(name, arguments, environment, log, stage, inherits))

    @property
    def journal(self) -> Path:
        return self.folder / "journal"

    def written(self) -> list[str]:
        return self.journal.read_text().splitlines() if self.journal.exists() else []

    def view(self, name: str) -> ProcessView | None:
        snapshot = state.read(self.folder / "state.json")
        views = snapshot.processes if snapshot else ()
        return next((view for view in views if view.name == name), None)

    async def ready(self, name: str, restarts: int = 0) -> ProcessView:
        """Wait until ``name`` does its work after that many restarts."""

        def look() -> ProcessView | None:
            view = self.view(name)
            fits = view is not None and view.state == "ready" and view.restarts >= restarts
            return view if fits else None

        found = await until(look)
        assert found is not None
        return found

    async def supervise(self) -> None:
        async def provide(_: Say) -> Sequence[Server]:
            await self.at_first()
            return self.servers

        async def prepare() -> Sequence[Plan]:
            return self.plans

        around = Surroundings(
            self.folder / "state.json", "http://nowhere", self.limits, self.listening
        )
        await Supervisor(provide, prepare, around, self.say).run(self.stop)

    def say(self, line: str) -> None:
        self.said.append(line)
        if self.cannot_say:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@asynccontextmanager
async def supervised(running: Running) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(running.supervise())
        try:
            yield
        finally:
            running.stop.set()
