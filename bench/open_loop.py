"""The open loop: requests are sent when they are due, whatever became of the earlier ones.

Two halves: ``open_loop.c`` sends what ``plan.py`` says when it is due, and here its records become
figures (docs/decisions/0016-what-the-benchmark-compares.md says why not one program).
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench import programs
from bench.latency import Latency, latency_of
from bench.plan import ROUTES, Planner, encoded
from bench.running import Running

_RECORD: Final = struct.Struct("=IIII")
#: More than ever wait on a system that keeps up; beyond it requests wait here, and it counts.
_CONNECTIONS: Final = 512
EXPECTED: Final = {
    "transfer": 201,
    "reservation": 201,
    "session transfer": 201,
    "balance": 200,
    "history": 200,
}


class Record(NamedTuple):
    """One request as the generator saw it; times in microseconds after it was due."""

    route: int
    status: int
    """0: no answer came."""
    sent_us: int
    answered_us: int


class Finished(NamedTuple):
    """What came of a run, its warm-up left out."""

    answers: int
    routes: dict[str, Latency]
    all: Latency
    lateness: Latency
    unexpected: dict[str, int]
    """Status -> count."""
    connections: int


class _Said(msgspec.Struct, frozen=True):
    connections: int
    lost: int


async def open_loop(
    run: Running,
    generator: Path,
    mix: Mapping[str, int],
    *,
    rate_per_s: int,
    seconds: float,
    warm_up_s: float,
    seed: int,
) -> Finished:
    """Requests at a constant rate. Raises ``programs.Failed``."""
    folder = run.installation.home.folder
    plan, records = folder / "plan", folder / "records"
    planner = Planner(run.installation.wallets, run.installation.key, seed)
    plan.write_bytes(encoded(list(planner.requests(mix))))
    count = round(rate_per_s * (seconds + warm_up_s))
    output = await programs.run(
        seconds + warm_up_s,
        str(generator),
        *(str(run.port), str(plan), str(rate_per_s), str(count), str(_CONNECTIONS), str(records)),
    )
    said = msgspec.json.decode(output, type=_Said)
    counted = records_of(records.read_bytes())[round(rate_per_s * warm_up_s) :]
    return finished(counted, said.connections)


def records_of(content: bytes) -> list[Record]:
    """What ``open_loop.c`` wrote down, in the order in which requests were due."""
    return [Record(*fields) for fields in _RECORD.iter_unpack(content)]


def finished(records: Sequence[Record], connections: int) -> Finished:
    """Figures of a run. Whoever got no answer waited as long as was waited for it.

    Raises ``ValueError`` without records.
    """
    by_route: dict[str, list[int]] = {}
    unexpected: dict[str, int] = {}
    for record in records:
        route = ROUTES[record.route]
        by_route.setdefault(route, []).append(record.answered_us)
        if record.status != EXPECTED[route]:
            name = str(record.status)
            unexpected[name] = unexpected.get(name, 0) + 1
    return Finished(
        answers=sum(record.status != 0 for record in records),
        routes={route: latency_of(by_route[route]) for route in ROUTES if route in by_route},
        all=latency_of([record.answered_us for record in records]),
        lateness=latency_of([record.sent_us for record in records]),
        unexpected=unexpected,
        connections=connections,
    )
