"""Which plots the report has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import median

from bench.aims import resident_mib
from bench.plots import Plot, Point
from bench.results import Arrivals, Load, Results
from bench.scenarios import closed_loop, due_diligence, live_beside_bulk

_TITLES = {"product": "product", "direct": "direct", "single": "one per message"}


def plots(results: Results) -> dict[str, Plot]:
    """Those that there are figures for, by the end of their file's name."""
    found = {
        "throughput": _closed_loop(
            results, "Transfers over HTTP", "transfers/s", lambda load: load.rate_per_s
        ),
        "p50": _closed_loop(results, "Median latency", "ms", lambda load: load.latency.p50_ms),
        "p99": _closed_loop(
            results, "99th percentile of latency", "ms", lambda load: load.latency.p99_ms
        ),
        "due-diligence": _due_diligence(results),
        "bulk": _bulk(results),
        "bulk-memory": _bulk_memory(results),
        "beside-bulk": _beside_bulk(results),
        "memory": _memory(results),
    }
    return {name: plot for name, plot in found.items() if plot.points}


def _closed_loop(results: Results, title: str, unit: str, of: Callable[[Load], float]) -> Plot:
    loads = [load for load in results.loads if load.scenario == closed_loop.NAME]
    connections = sorted({load.connections for load in loads})
    lines: dict[str, list[Point]] = {}
    for system, name in _TITLES.items():
        for place, count in enumerate(connections):
            rounds = [of(x) for x in loads if x.system == system and x.connections == count]
            if rounds:
                lines.setdefault(name, []).append((place, median(rounds)))
    return Plot(title, "connections", unit, lines, [str(count) for count in connections])


def _due_diligence(results: Results) -> Plot:
    arrivals = [a for a in results.arrivals if a.scenario == due_diligence.NAME and not a.case]
    arrivals.sort(key=lambda a: a.rate_per_s)
    positions = [str(a.rate_per_s) for a in arrivals]
    return Plot(
        "Mixed calls at a constant rate", "calls/s", "ms after due", _tails(arrivals), positions
    )


def _beside_bulk(results: Results) -> Plot:
    arrivals = [a for a in results.arrivals if a.scenario == live_beside_bulk.NAME]
    title = f"{live_beside_bulk.PER_S} payments/s, without and beside a bulk file"
    return Plot(title, "", "ms after due", _tails(arrivals), [a.case for a in arrivals])


def _bulk(results: Results) -> Plot:
    lines = {
        file.case: [(sample.seconds, float(sample.lines)) for sample in file.samples]
        for file in results.files
    }
    return Plot("Lines of a bulk file that have their word", "seconds", "lines", lines)


def _bulk_memory(results: Results) -> Plot:
    lines: dict[str, list[Point]] = {}
    for sample in (sample for file in results.files for sample in file.samples):
        for name, mib in sample.resident_mib.items():
            lines.setdefault(name, []).append((sample.seconds, mib))
    return Plot("Resident memory while a bulk file is worked off", "seconds", "MiB", lines)


def _tails(arrivals: Sequence[Arrivals]) -> dict[str, list[Point]]:
    """Latencies by figure; the places along the axis are the runs in order."""
    figures = {
        "p50": [a.all.p50_ms for a in arrivals],
        "p99": [a.all.p99_ms for a in arrivals],
        "p99.9": [a.all.p999_ms for a in arrivals],
        "max": [a.all.max_ms for a in arrivals],
    }
    return {
        name: [(float(place), value) for place, value in enumerate(values)]
        for name, values in figures.items()
    }


def _memory(results: Results) -> Plot:
    names = list(results.memory[0].resident_mib) if results.memory else []
    lines = {
        name: [(float(m.commands), m.resident_mib[name]) for m in results.memory] for name in names
    }
    if results.memory:
        lines["gateway + consumer"] = [(float(m.commands), resident_mib(m)) for m in results.memory]
    return Plot("Resident memory", "commands", "MiB", lines)
