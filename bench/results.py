"""Everything that was measured, as it goes into the JSON file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from bench.latency import Latency


class Load(msgspec.Struct, frozen=True):
    """One run of the closed loop: so many connections, each asking again once it is answered."""

    scenario: str
    system: str
    setup: str
    """How the system was set up: processes and pools."""
    case: str
    """What the scenario varies besides the system: kind of load, size of the books."""
    connections: int
    round: int
    seconds: float
    answers: int
    rate_per_s: float
    """Answers that were expected ones."""
    latency: Latency
    statuses: dict[str, int]
    """Answers by status and code, as the gateway counted them."""
    failures: dict[str, int]
    """As the load generator counted them."""
    cores: dict[str, float]
    """How many cores each process, server and the load generator kept busy."""
    problem: str
    """Why the measurement is invalid; empty where it is not."""


class Arrivals(msgspec.Struct, frozen=True):
    """One run of the open loop: latency counts from when a request was due."""

    scenario: str
    system: str
    setup: str
    case: str
    rate_per_s: int
    seconds: float
    answers: int
    routes: dict[str, Latency]
    all: Latency
    lateness: Latency
    """Of sending: the generator's own delay, and waiting for a free connection."""
    connections: int
    cores: dict[str, float]
    """As in ``Load``; the generator's own part tells how much it took from what it measured."""
    statuses: dict[str, int]
    problem: str


class Memory(msgspec.Struct, frozen=True):
    """Memory at one moment of the soak, in MiB by process."""

    seconds: float
    commands: int
    resident_mib: dict[str, float]
    proportional_mib: dict[str, float]
    """Pages shared by several processes divided among them."""


class FileSample(msgspec.Struct, frozen=True):
    """One moment of a file's way; MiB by process."""

    seconds: float
    lines: int
    """Those that have their word."""
    resident_mib: dict[str, float]


class FileRun(msgspec.Struct, frozen=True):
    """One bulk file, from the first byte that was sent to the last result that was read."""

    scenario: str
    system: str
    setup: str
    case: str
    lines: int
    mib: float
    accepting_s: float
    """Until the answer that all of it has arrived."""
    draining_s: float
    """From there until every line has its word."""
    results_s: float
    """From there until the word of every line was read."""
    samples: list[FileSample]
    cores: dict[str, float]
    """As in ``Load``, over all of it, but for whoever hands in and reads."""
    problem: str

    @property
    def seconds(self) -> float:
        return self.accepting_s + self.draining_s + self.results_s

    @property
    def rate_per_s(self) -> float:
        """Lines per second, end to end."""
        return self.lines / self.seconds

    @property
    def accepted_per_s(self) -> float:
        return self.lines / self.accepting_s

    @property
    def drained_per_s(self) -> float:
        return self.lines / self.draining_s

    @property
    def read_per_s(self) -> float:
        return self.lines / self.results_s

    @property
    def peak_mib(self) -> dict[str, float]:
        """By process."""
        names = self.samples[-1].resident_mib
        return {name: max(sample.resident_mib[name] for sample in self.samples) for name in names}


class FileBeside(msgspec.Struct, frozen=True):
    """What a bulk file made while an open loop ran; the loop's own figures are ``Arrivals``."""

    scenario: str
    system: str
    case: str
    seconds: float
    lines: int
    problem: str

    @property
    def rate_per_s(self) -> float:
        return self.lines / self.seconds


class ComparisonRun(msgspec.Struct, frozen=True):
    """One reconciliation, from the first byte that was sent to the report."""

    scenario: str
    system: str
    case: str
    lines: int
    """Of the extract, or rows of the bank."""
    mib: float
    """Of the extract."""
    accepting_s: float
    """Until the answer that all of it has arrived."""
    comparing_s: float
    """From there until the last difference was written down."""
    peak_mib: dict[str, float]
    """The most that each held."""
    problem: str

    @property
    def cells(self) -> tuple[str, ...]:
        """For a table."""
        numbers = (self.accepting_s, self.comparing_s)
        peaks = ", ".join(f"{name} {mib:.0f}" for name, mib in self.peak_mib.items())
        mib = f"{self.mib:.0f}" if self.mib else ""
        return (self.case, mib, *(f"{x:.1f}" for x in numbers), peaks)


class Limit(msgspec.Struct, frozen=True):
    """How fast PostgreSQL alone writes the same rows."""

    scenario: str
    way: str
    transfers: int
    seconds: float
    rate_per_s: float


class Audit(msgspec.Struct, frozen=True):
    """What the audit of the books said after a scenario; no rule broken: they hold."""

    scenario: str
    system: str
    transfers: int
    seconds: float
    broken: list[str]


class Results(msgspec.Struct):
    """Grows while the benchmark runs."""

    effort: dict[str, Any]
    seed: int
    started: str
    machine: dict[str, str]
    versions: dict[str, str]
    settings: dict[str, str]
    setups: dict[str, str] = {}
    """The way in which each baseline was fastest."""
    loads: list[Load] = []
    arrivals: list[Arrivals] = []
    memory: list[Memory] = []
    files: list[FileRun] = []
    besides: list[FileBeside] = []
    comparisons: list[ComparisonRun] = []
    limits: list[Limit] = []
    audits: list[Audit] = []
    notes: list[str] = []
    failed: dict[str, str] = {}
    """Scenarios that broke off, and why."""
    seconds: float = 0.0

    @property
    def problems(self) -> list[str]:
        """Everything that makes part of the figures worthless."""
        found = [
            f"{m.scenario}, {m.system}, {m.case or 'transfers'}: {m.problem}"
            for m in self._measurements
            if m.problem
        ]
        found += [
            f"{a.scenario}, {a.system}: the books break {', '.join(a.broken)}"
            for a in self.audits
            if a.broken
        ]
        return found + [f"{name} broke off: {why}" for name, why in self.failed.items()]

    @property
    def _measurements(self) -> list[Load | Arrivals | FileRun | FileBeside | ComparisonRun]:
        files: list[FileRun | FileBeside] = [*self.files, *self.besides]
        return [*self.loads, *self.arrivals, *files, *self.comparisons]

    def write(self, path: Path) -> None:
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")


def unexpected(
    statuses: Mapping[str, int], expected: Sequence[str], cut_off: int, failures: Mapping[str, int]
) -> str:
    """Why answers like these make a measurement invalid, or nothing.

    ``cut_off``: how many requests may have been on their way when the load generator hung up.
    """
    strange = {s: n for s, n in statuses.items() if n and s not in (*expected, "0")}
    cut = statuses.get("0", 0)
    wrong = [f"{count} times {status}" for status, count in strange.items()]
    if cut > cut_off:
        wrong.append(f"{cut} callers left without an answer")
    wrong += [f"{count} failures to {what}" for what, count in failures.items() if count]
    if not sum(statuses.get(s, 0) for s in expected):
        wrong.append("no expected answer at all")
    return "; ".join(wrong)
