"""Processor time by part of the system: where a measurement's time went."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from cli.servers import processes, provide
from cli.servers.kept import Kept

LOAD: Final = "load generator"
_TICKS_PER_S: Final = os.sysconf("SC_CLK_TCK")
#: utime, stime, and both of children that have ended, counted from the state's field.
_TIMES: Final = slice(11, 15)


class Spent(NamedTuple):
    """Seconds of processor time until a moment, by part."""

    at_s: float
    by_part: Mapping[str, float]

    def cores_since(self, earlier: Spent) -> dict[str, float]:
        """How many cores each part kept busy meanwhile."""
        wall_s = self.at_s - earlier.at_s
        return {
            part: round((total - earlier.by_part.get(part, 0.0)) / wall_s, 3)
            for part, total in self.by_part.items()
        }


def spent(pids: Mapping[str, int], kept: Kept) -> Spent:
    """By the processes named in ``pids``, by both servers, and by programs that we ran and that
    have ended (the load generators)."""
    parts = {name: _seconds([pid]) for name, pid in pids.items()}
    for server in provide.BOTH:
        place = kept.place(server)
        if place is not None:
            # PostgreSQL's backends write their titles over the environment that they are known by.
            found = {*processes.carrying(place), *processes.working_in(place / "data")}
            parts[server] = _seconds(process.pid for process in found)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    parts[LOAD] = ended.ru_utime + ended.ru_stime
    return Spent(time.monotonic(), parts)


def _seconds(pids: Iterable[int]) -> float:
    ticks = 0
    for pid in pids:
        try:
            stat = Path(f"/proc/{pid}/stat").read_text()
        except (FileNotFoundError, ProcessLookupError):
            continue  # its time is its parent's by now
        # The name in parentheses may itself hold spaces and parentheses: count from the last one.
        ticks += sum(int(field) for field in stat[stat.rindex(")") + 2 :].split()[_TIMES])
    return ticks / _TICKS_PER_S
