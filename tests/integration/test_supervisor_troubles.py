"""What goes wrong around the supervisor does not end its care for what it started."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
from pathlib import Path

import pytest

from cli.supervision import state
from cli.supervision.beats import BeatSocket
from cli.supervision.child import LARGEST_LOG, Limits
from tests.integration.supervised import Running, supervised
from tests.polling import until


@pytest.fixture
def running(tmp_path: Path) -> Running:
    return Running(tmp_path, Limits(silence_s=3.0, drain_s=1.0))


async def test_a_full_disk_costs_a_log_and_nothing_else(running: Running) -> None:
    running.plan("worker")
    log = running.folder / "worker.log"
    older = running.folder / "worker.log.1"
    older.symlink_to("/dev/full")  # whoever writes there is told that no space is left
    with log.open("wb") as file:
        file.truncate(LARGEST_LOG + 1)
    running.cannot_say = True  # the supervisor's own log lies on the same disk
    async with supervised(running):
        first = await running.ready("worker")
        await until(lambda: log.stat().st_size <= LARGEST_LOG)
        assert not older.is_symlink()
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await running.ready("worker", restarts=1)


async def test_trouble_with_one_is_said_once_and_keeps_nobody_from_being_cared_for(
    running: Running,
) -> None:
    running.plan("x" * 300)  # no file can be called that: there can be no log, nor a look at it
    running.plan("second")
    async with supervised(running):
        second = await running.ready("second")
        await until(lambda: any("goes on after OSError" in line for line in running.said))
        assert second.pid is not None
        os.kill(second.pid, signal.SIGKILL)
        await running.ready("second", restarts=1)
    assert sum("goes on after OSError" in line for line in running.said) == 1


async def test_a_child_that_babbles_keeps_nobody_from_being_cared_for(running: Running) -> None:
    running.plan("babbler", "babble")
    running.plan("worker")
    async with supervised(running):
        await running.ready("babbler")
        first = await running.ready("worker")
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await running.ready("worker", restarts=1)


def test_a_look_ends_however_much_there_is_to_hear() -> None:
    beats = BeatSocket()
    with socket.socket(fileno=os.dup(beats.inherited)) as child:
        heard = 0
        for _ in beats.received():
            heard += 1
        assert heard == 0
        child.send(b"WATCHDOG=1")
        for fields in beats.received():
            heard += 1
            child.send(b"WATCHDOG=1")  # always one more
            assert fields == {"WATCHDOG": "1"}
        assert 0 < heard < 1000
    beats.close()


async def test_nobody_else_can_speak_to_the_supervisor(running: Running) -> None:
    running.plan("worker")
    async with supervised(running):
        view = await running.ready("worker")
        assert view.pid is not None
        assert name_of_beat_socket(view.pid) == ""


def name_of_beat_socket(pid: int) -> str:
    """Under which others could send to the socket that the process beats on."""
    environment = Path(f"/proc/{pid}/environ").read_text().split("\0")
    [descriptor] = [each.split("=")[1] for each in environment if each.startswith("SOV_BEATS_FD=")]
    inode = os.readlink(f"/proc/{pid}/fd/{descriptor}").removeprefix("socket:[").removesuffix("]")
    listed = [line.split() for line in Path("/proc/net/unix").read_text().splitlines()[1:]]
    [names] = [fields[7:] for fields in listed if fields[6] == inode]
    return " ".join(names)


async def test_the_state_stays_fresh_while_an_installation_is_waited_for(running: Running) -> None:
    release = asyncio.Event()

    async def not_to_be_cut_short() -> None:
        try:
            await release.wait()
        except asyncio.CancelledError:
            await release.wait()
            raise

    running.at_first = not_to_be_cut_short
    async with supervised(running):
        await until(lambda: state.read(running.folder / "state.json"))
        running.stop.set()
        await until(lambda: any("cannot be cut short" in line for line in running.said))
        told = state.read(running.folder / "state.json")
        assert told is not None
        await until(lambda: written_after(running.folder, told.time))
        release.set()


def written_after(folder: Path, time: float) -> bool:
    snapshot = state.read(folder / "state.json")
    return snapshot is not None and snapshot.phase == "starting" and snapshot.time > time + 1
