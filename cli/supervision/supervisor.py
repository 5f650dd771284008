"""The loop that keeps everything alive, and the order in which it comes up and goes down."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from cli.servers import processes
from cli.servers.failures import ServerUnavailable
from cli.servers.provide import Server
from cli.supervision import state
from cli.supervision.child import Child, Limits, Plan, keep_small
from cli.supervision.state import Phase, ProcessView, Snapshot
from cli.supervision.watched import WatchedServer
from topology.vitals import LIFELINE

# Ten looks a second: what is dead is started again well within one.
TICK_S = 0.1
_WRITE_EVERY_S = 1.0
# A tick this late means that we were frozen ourselves, and all beats with us.
_ASLEEP_S = 2.0

Say = Callable[[str], None]
# Called first, with a way to tell of progress; returns the servers that are ours to run.
Provide = Callable[[Say], Awaitable[Sequence[Server]]]
# Called once the servers answer; returns what is to be kept running.
Prepare = Callable[[], Awaitable[Sequence[Plan]]]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where the supervisor writes, how patient it is, and the socket it keeps for gateways.

    ``private`` names the servers that ``provide`` will return.
    """

    state_file: Path
    url: str
    limits: Limits = field(default_factory=Limits)
    listening: socket.socket | None = None
    private: tuple[str, ...] = ()


class Supervisor:
    """``run`` once. Servers first, then ``prepare``, then the children; backwards to stop.

    Children hold the read end of a pipe whose other end only we hold: they notice our death however
    it comes.
    """

    def __init__(self, provide: Provide, prepare: Prepare, around: Surroundings, say: Say) -> None:
        self._say_aloud = say
        self._provide = provide
        self._servers: list[WatchedServer] = []
        self._prepare = prepare
        self._around = around
        self._children: list[Child] = []
        self._notes: list[str] = []
        self._phase: Phase = "starting"
        self._reason = ""
        self._announced = False
        self._hurry = asyncio.Event()
        self._me = processes.identify(os.getpid())
        self._written = 0.0
        self._looked = time.monotonic()

    def hurry(self) -> None:
        """Stop waiting for drains."""
        self._hurry.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until ``stop`` is set; all that was started is stopped when this returns or raises.

        Raises what a first start or ``prepare`` raises: then nothing runs.
        """
        lifeline, held = os.pipe()
        try:
            await self._until(stop, self._bring_up(lifeline))
            if not stop.is_set():
                self._phase = "running"
                await self._watch(stop)
            await self._stop("stopped")
        except Exception as failure:
            self._reason = str(failure)
            await self._stop("failed")
            raise
        finally:
            os.close(lifeline)
            os.close(held)

    async def _until(self, stop: asyncio.Event, work: Awaitable[None]) -> None:
        """``work``, given up as soon as ``stop`` is set; the state file is kept fresh meanwhile."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(stop.wait())
        while not working.done() and not stopping.done():
            self._write()
            await asyncio.wait(
                {working, stopping}, timeout=_WRITE_EVERY_S, return_when=asyncio.FIRST_COMPLETED
            )
        if not working.done():
            working.cancel()
            await self._given_up(working)
        else:
            stopping.cancel()
            working.result()

    async def _given_up(self, working: asyncio.Future[None]) -> None:
        """The end of cancelled work, however long it takes: an installation is not cut short.

        The state file stays fresh, or `down` would take us for frozen and kill us in the middle.
        """
        await asyncio.wait([working], timeout=_WRITE_EVERY_S)
        if not working.done():
            self._say("stopping as soon as what cannot be cut short has ended")
        while not working.done():
            self._write()
            await asyncio.wait([working], timeout=_WRITE_EVERY_S)

    async def _bring_up(self, lifeline: int) -> None:
        for server in await self._provide(self._say):
            self._servers.append(WatchedServer(server, self._say))
        try:
            async with asyncio.TaskGroup() as group:
                for watched in self._servers:
                    group.create_task(self._first_start(watched))
        except ExceptionGroup as failures:
            unavailable, others = failures.split(ServerUnavailable)
            if unavailable is None or others is not None:
                raise
            reasons = "\n".join(str(failure) for failure in unavailable.exceptions)
            raise ServerUnavailable(reasons) from None
        for plan in await self._prepare():
            whole = replace(
                plan,
                environment={**plan.environment, LIFELINE: str(lifeline)},
                inherits=(*plan.inherits, lifeline),
            )
            self._children.append(Child(whole, self._around.limits))

    async def _first_start(self, watched: WatchedServer) -> None:
        self._say(f"starting {watched.server.name}")
        await watched.start(time.monotonic())
        self._say(f"{watched.server.name} is ready")

    async def _watch(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self._look()
            if not self._announced and self._snapshot().ready:
                self._announced = True
                self._say(f"ready: {self._around.url}")
                self._write()
            try:
                await asyncio.wait_for(stop.wait(), TICK_S)
            except TimeoutError:
                continue

    def _look(self) -> None:
        """One look at everything. Whatever goes wrong with one must not end the care for others."""
        now = time.monotonic()
        for child in self._children:
            self._survive(partial(child.listen, now))
        if now - self._looked > _ASLEEP_S:
            for child in self._children:
                child.forgive(now)
        self._looked = now
        for child in self._children:
            self._survive(partial(self._tick, child, now))
        if self._phase == "running":
            for watched in self._servers:
                self._survive(partial(watched.tick, now))
        if now - self._written >= _WRITE_EVERY_S:
            self._write()
            for child in self._children:
                self._survive(partial(keep_small, child.plan.log))

    def _tick(self, child: Child, now: float) -> None:
        before = child.restarts
        try:
            child.tick(now)
        finally:
            if child.restarts != before:
                self._say(f"{child.plan.name} {child.reason}: starting it again")

    def _survive(self, step: Callable[[], None]) -> None:
        try:
            step()
        except Exception as failure:
            # Ten looks a second: the same trouble is said once, not each time.
            trouble = f"the supervisor goes on after {type(failure).__name__}: {failure}"
            if trouble not in self._notes:
                self._say(trouble)

    async def _stop(self, last: Phase) -> None:
        self._phase = "stopping"
        if self._around.listening is not None:
            # From here on callers are refused at once instead of waiting in a backlog for nobody.
            self._around.listening.close()
        for stage in sorted({child.plan.stage for child in self._children}):
            stopping = [child for child in self._children if child.plan.stage == stage]
            self._say("stopping " + ", ".join(child.plan.name for child in stopping))
            for child in stopping:
                child.stop(time.monotonic())
            # Those of later stages are still watched: a gateway that drains needs its consumers.
            while any(child.state != "stopped" for child in stopping):
                if self._hurry.is_set():
                    for child in stopping:
                        child.hurry(time.monotonic())
                self._look()
                await asyncio.sleep(TICK_S / 2)
        if self._servers:
            self._say("stopping " + ", ".join(each.server.name for each in self._servers))
            await self._until(asyncio.Event(), self._stop_servers())
        self._phase = last
        self._write()

    async def _stop_servers(self) -> None:
        async with asyncio.TaskGroup() as group:
            for watched in self._servers:
                group.create_task(watched.stop())

    def _say(self, line: str) -> None:
        with suppress(OSError):  # our own log may lie on a full disk, or the terminal be gone
            self._say_aloud(line)
        self._notes.append(line)
        del self._notes[:-200]

    def _write(self) -> None:
        self._written = time.monotonic()
        try:
            state.write(self._around.state_file, self._snapshot())
        except OSError as problem:  # a full disk must not end those who could go on without one
            with suppress(OSError):
                self._say_aloud(f"cannot write {self._around.state_file}: {problem}")

    def _snapshot(self) -> Snapshot:
        me = self._me or processes.ProcessId(os.getpid(), 0)
        return Snapshot(
            pid=me.pid,
            started_ticks=me.started_ticks,
            phase=self._phase,
            time=time.time(),
            url=self._around.url,
            reason=self._reason,
            private=self._around.private,
            notes=tuple(self._notes),
            processes=(
                *(_server_view(each) for each in self._servers),
                *(_child_view(child) for child in self._children),
            ),
        )


def _server_view(watched: WatchedServer) -> ProcessView:
    pid = watched.server.pid
    # No start tick: who looks for left-overs must never end a server by this file.
    return ProcessView(
        watched.server.name, pid, None, watched.state, watched.restarts, watched.reason, True, {}
    )


def _child_view(child: Child) -> ProcessView:
    ticks = child.identity.started_ticks if child.identity else None
    return ProcessView(
        name=child.plan.name,
        pid=child.pid,
        started_ticks=ticks,
        state=child.state,
        restarts=child.restarts,
        reason=child.reason,
        is_server=False,
        report=dict(child.report),
    )
