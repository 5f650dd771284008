"""Finding and ending processes by what identifies them for certain, never by a broad name.

A process is named by its id *and* the tick it started at, because ids are used again. A server's
processes also carry ``MARKER`` in their environment, which their own helpers (epmd, inet_gethost)
inherit: it finds what a killed supervisor left behind.
"""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

MARKER = "SOV_PRIVATE_SERVER"
_PROC = Path("/proc")
_POLL_S = 0.05

# A signal, and how many seconds to wait for its effect.
Step = tuple[signal.Signals, float]


@dataclass(frozen=True, slots=True)
class ProcessId:
    """One process, for ever: the kernel never gives the same pair out twice within a boot."""

    pid: int
    started_ticks: int


def identify(pid: int) -> ProcessId | None:
    """The living process ``pid``, or None when there is none (a zombie is none)."""
    try:
        stat = (_PROC / str(pid) / "stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # The name in parentheses may itself hold spaces and parentheses: count from the last one.
    fields = stat[stat.rindex(")") + 2 :].split()
    # While threads of it are still ending, one that looks like a zombie holds its ports and files.
    if fields[0] in ("Z", "X") and int(fields[17]) <= 1:
        return None
    return ProcessId(pid, int(fields[19]))


def is_alive(process: ProcessId) -> bool:
    return identify(process.pid) == process


def has_argument(pid: int, argument: str) -> bool:
    """Whether ``argument`` is, whole, among the command line's arguments of ``pid``."""
    return os.fsencode(argument) in _read(pid, "cmdline").split(b"\0")


def name_of(pid: int) -> str:
    return _read(pid, "comm").decode(errors="replace").strip()


def named(names: Collection[str]) -> list[ProcessId]:
    """All living processes with one of these names, whose ever: to wait for, not to end."""
    found = []
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and name_of(int(entry.name)) in names:
            process = identify(int(entry.name))
            if process is not None:
                found.append(process)
    return found


def carrying(place: Path) -> list[ProcessId]:
    """All living processes whose environment says that they belong to the server at ``place``."""
    wanted = os.fsencode(f"{MARKER}={place}")
    found = []
    for entry in _PROC.iterdir():
        if not entry.name.isdigit() or wanted not in _read(int(entry.name), "environ").split(b"\0"):
            continue
        process = identify(int(entry.name))
        if process is not None:
            found.append(process)
    return found


def is_zombie(pid: int) -> bool:
    """Ended, but whoever started it has not taken note: its id still counts as used."""
    return identify(pid) is None and (_PROC / str(pid)).exists()


def working_in(folder: Path) -> list[ProcessId]:
    """All living processes whose current folder is ``folder``: to wait for, not to end."""
    found = []
    for entry in _PROC.iterdir():
        try:
            if not entry.name.isdigit() or (entry / "cwd").readlink() != folder:
                continue
        except OSError:  # gone meanwhile, or another user's
            continue
        process = identify(int(entry.name))
        if process is not None:
            found.append(process)
    return found


def send(process: ProcessId, number: signal.Signals) -> None:
    """Signal exactly this process; one that is gone already is no error."""
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


async def gone(processes: Iterable[ProcessId], within_s: float) -> bool:
    """Wait until none of ``processes`` lives; False when some still do after ``within_s``."""
    left = list(processes)
    deadline = time.monotonic() + within_s
    while left := [process for process in left if is_alive(process)]:
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


async def end_in_steps(process: ProcessId, steps: Iterable[Step]) -> None:
    """Send each signal in turn and wait that long, until the process is gone."""
    for number, limit_s in steps:
        send(process, number)
        if await gone([process], limit_s):
            return


async def end(processes: Iterable[ProcessId], patience_s: float = 5.0) -> None:
    """SIGTERM, then after ``patience_s`` SIGKILL; returns when all are gone (5 s more at most)."""
    targets = list(processes)
    for process in targets:
        send(process, signal.SIGTERM)
    if await gone(targets, patience_s):
        return
    for process in targets:
        send(process, signal.SIGKILL)
    await gone(targets, 5.0)


def _read(pid: int, name: str) -> bytes:
    try:
        return (_PROC / str(pid) / name).read_bytes()
    except OSError:  # gone meanwhile, or another user's
        return b""
