"""The supervisor with small stand-in programs: what dies comes back, what stops drains first."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from cli.home import path_for_children
from cli.servers import processes
from cli.servers.failures import ServerUnavailable
from cli.servers.places import Say
from cli.servers.processes import ProcessId
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


class Running:
    """A supervisor at work in this process, seen through its state file as others see it."""

    def __init__(self, folder: Path, limits: Limits) -> None:
        self.folder = folder
        self.limits = limits
        self.said: list[str] = []
        self.stop = asyncio.Event()
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
            return self.servers

        async def prepare() -> Sequence[Plan]:
            return self.plans

        around = Surroundings(
            self.folder / "state.json", "http://nowhere", self.limits, self.listening
        )
        await Supervisor(provide, prepare, around, self.said.append).run(self.stop)


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path, Limits(silence_s=3.0, drain_s=1.0))


@asynccontextmanager
async def supervised(running: Running) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as group:
        group.create_task(running.supervise())
        try:
            yield
        finally:
            running.stop.set()


async def test_a_killed_child_is_started_again(running: Running) -> None:
    running.plan("worker")
    async with supervised(running):
        first = await running.ready("worker")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        second = await running.ready("worker", restarts=1)
        assert second.pid != first.pid
        assert "SIGKILL" in second.reason
        assert second.report == {"partitions": {"0": {"epoch": 3}}}


async def test_a_child_that_crashes_at_once_is_tried_again_and_again(running: Running) -> None:
    running.plan("hopeless", "crash")
    running.plan("worker")
    async with supervised(running):
        await until(lambda: sum("hopeless started" in line for line in running.written()) >= 3)
        await running.ready("worker")
        view = running.view("hopeless")
        assert view is not None
        assert "exit code 7" in view.reason


async def test_a_frozen_child_is_killed_and_replaced(running: Running) -> None:
    running.plan("worker")
    async with supervised(running):
        first = await running.ready("worker")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGSTOP)
        second = await running.ready("worker", restarts=1)
        assert second.pid != first.pid
        assert "silent" in second.reason


async def test_stopping_drains_stage_after_stage(running: Running) -> None:
    for stage, name in enumerate(("gateway", "relay", "consumer")):
        running.plan(name, stage=stage)
    async with supervised(running):
        for plan in running.plans:
            await running.ready(plan.name)
    drained = [line for line in running.written() if line.endswith("drained")]
    assert drained == ["gateway drained", "relay drained", "consumer drained"]
    snapshot = state.read(running.folder / "state.json")
    assert snapshot is not None
    assert snapshot.phase == "stopped"


async def test_a_child_that_does_not_drain_is_killed(running: Running) -> None:
    running.plan("stubborn", "deaf")
    async with supervised(running):
        view = await running.ready("stubborn")
    assert view.identity is not None
    assert not processes.is_alive(view.identity)


async def test_a_dead_server_is_started_again_until_it_starts(running: Running) -> None:
    server = StandInServer()
    running.servers.append(server)
    async with supervised(running):
        first = await running.ready("stand-in")
        assert first.pid is not None
        server.failures = 2
        os.kill(first.pid, signal.SIGKILL)
        second = await running.ready("stand-in", restarts=3)
        assert second.pid != first.pid
        assert "not today" in second.reason


async def test_a_server_that_cannot_start_is_the_reason_why_nothing_runs(running: Running) -> None:
    running.servers.append(StandInServer(failures=1))
    running.plan("worker")
    with pytest.raises(ServerUnavailable, match="not today"):
        await running.supervise()
    snapshot = state.read(running.folder / "state.json")
    assert snapshot is not None
    assert (snapshot.phase, snapshot.reason) == ("failed", "not today")
    assert running.written() == []


async def test_callers_wait_while_a_gateway_is_replaced(running: Running) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        running.listening = listening
        port = listening.getsockname()[1]
        running.plan("gateway")
        async with supervised(running):
            first = await running.ready("gateway")
            assert await ask(port) == first.pid
            assert first.pid is not None
            os.kill(first.pid, signal.SIGKILL)
            # Sent while nobody accepts: it waits in the backlog, and the next gateway answers.
            answered_by = await asyncio.wait_for(ask(port), 10)
            second = await running.ready("gateway", restarts=1)
            assert answered_by == second.pid


async def ask(port: int) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        return int(await reader.read())
    finally:
        writer.close()
        await writer.wait_closed()


async def test_children_end_soon_after_their_supervisor_was_killed(tmp_path: Path) -> None:
    supervisor = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.stand_in_supervisor", str(tmp_path)),
        env={**os.environ, **path_for_children(os.environ)},
    )
    view = await until(lambda: ready_children(tmp_path))
    supervisor.kill()
    await supervisor.wait()
    assert await processes.gone(view, 5.0)


def ready_children(folder: Path) -> list[ProcessId]:
    snapshot = state.read(folder / "state.json")
    if snapshot is None or not snapshot.ready:
        return []
    return [view.identity for view in snapshot.processes if view.identity is not None]
