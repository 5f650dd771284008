"""The supervisor with small stand-in programs: what dies comes back, what stops drains first."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

import pytest

from cli.home import path_for_children
from cli.servers import processes
from cli.servers.failures import ServerUnavailable
from cli.servers.processes import ProcessId
from cli.supervision import state
from cli.supervision.child import Limits
from tests.integration.supervised import Running, StandInServer, supervised
from tests.polling import until


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path, Limits(silence_s=3.0, drain_s=1.0))


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
