"""What the supervisor tells the other commands: one small file, replaced every second.

A file rather than a socket: it can be read while the supervisor is frozen, says by its time that it
is, and is still there to find left-over processes by when the supervisor was killed.
"""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from typing import Literal

import msgspec

from cli.servers import processes
from cli.servers.processes import ProcessId

Phase = Literal["starting", "running", "stopping", "stopped", "failed"]
# Older than this, the supervisor is frozen or gone.
STALE_S = 5.0


class ProcessView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One process or server. ``report`` is what it last said about itself."""

    name: str
    pid: int | None
    started_ticks: int | None
    state: str
    restarts: int
    reason: str
    is_server: bool
    report: dict[str, object]

    @property
    def identity(self) -> ProcessId | None:
        if self.pid is None or self.started_ticks is None:
            return None
        return ProcessId(self.pid, self.started_ticks)


class Snapshot(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The supervisor and all it looks after, at ``time`` (seconds since 1970)."""

    pid: int
    started_ticks: int
    phase: Phase
    time: float
    url: str
    reason: str
    private: tuple[str, ...]
    notes: tuple[str, ...]
    processes: tuple[ProcessView, ...]

    @property
    def ready(self) -> bool:
        return self.phase == "running" and all(view.state == "ready" for view in self.processes)

    @property
    def is_stale(self) -> bool:
        return time.time() - self.time > STALE_S

    @property
    def identity(self) -> ProcessId:
        return ProcessId(self.pid, self.started_ticks)

    def is_alive(self) -> bool:
        return processes.is_alive(self.identity)


def write(path: Path, snapshot: Snapshot) -> None:
    """Replace the file in one step."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(msgspec.json.encode(snapshot))
    fresh.replace(path)


def read(path: Path) -> Snapshot | None:
    """The last snapshot, or None where none was written (or by another version)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Snapshot)
    except (FileNotFoundError, msgspec.ValidationError, msgspec.DecodeError):
        return None


class Lock:
    """At most one supervisor per folder; the kernel lets go of it however the holder ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take it if it is free; held until this process ends or ``release``."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def is_held(self) -> bool:
        """Whether somebody else holds it now."""
        if not self.acquire():
            return True
        self.release()
        return False
