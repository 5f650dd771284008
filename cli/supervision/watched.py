"""A server under supervision: started again when it is dead, and only then."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Literal

from cli.servers.places import Say
from cli.servers.provide import Server
from cli.supervision.backoff import Backoff

State = Literal["starting", "ready", "waiting", "stopped"]


@dataclass(slots=True)
class WatchedServer:
    """Never killed for being slow: a server in recovery is silent for good reasons."""

    server: Server
    say: Say
    backoff: Backoff = field(default_factory=Backoff)
    state: State = "starting"
    restarts: int = 0
    reason: str = ""
    _due: float = 0.0
    _ready_since: float = 0.0
    _starting: asyncio.Task[None] | None = None

    async def start(self, now: float) -> None:
        """The first start; raises ``ServerUnavailable``."""
        await self.server.start()
        self.state = "ready"
        self._ready_since = now

    def tick(self, now: float) -> None:
        """Notice its death, and start it again when that is due."""
        if self._starting is not None:
            if self._starting.done():
                self._take_result(self._starting, now)
        elif self.state == "ready" and not self.server.alive():
            self.say(f"{self.server.name} is gone: starting it again")
            self._wait(now, "it ended", now - self._ready_since)
        elif self.state == "waiting" and now >= self._due:
            self.state = "starting"
            self._starting = asyncio.create_task(self.server.start())

    async def stop(self) -> None:
        """Stop it; returns when nothing of it is left."""
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.wait([self._starting])
            self._starting = None
        await self.server.stop()
        self.state = "stopped"

    def _take_result(self, task: asyncio.Task[None], now: float) -> None:
        self._starting = None
        failure = task.exception()
        if failure is None:
            self.state = "ready"
            self._ready_since = now
        else:
            # Whatever it was, even a defect of ours: giving up would be worse than trying again.
            self._wait(now, f"{type(failure).__name__}: {failure}", 0.0)
            self.say(f"{self.server.name} did not start, trying again: {self.reason}")

    def _wait(self, now: float, reason: str, up_s: float) -> None:
        self.state = "waiting"
        self.reason = reason
        self.restarts += 1
        self._due = now + self.backoff.after(up_s)
