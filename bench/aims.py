"""The table of DESIGN.md, "How fast, measured how", worked out from the figures."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from statistics import median
from typing import Final, NamedTuple

from bench.results import Arrivals, Load, Memory, Results
from bench.scenarios import (
    bulk,
    closed_loop,
    due_diligence,
    growth,
    hot_wallets,
    limit,
    live_beside_bulk,
    many_wallets,
    two_consumers,
)

_CONNECTIONS: Final = 256
_AIM, _MUST, _MISSED, _OPEN = "aim", "must", "missed", ""
_HELD_S: Final = 600.0
_SOAK_COMMANDS: Final = 1_000_000
#: A thousand are left out of the extract.
_RECONCILED_LINES: Final = 990_000
#: Memory in the second half of the soak may be this much above that of the first and still be flat.
_FLAT: Final = 1.05


class Row(NamedTuple):
    """One figure. ``verdict``: which column it reaches; empty where that cannot be said."""

    figure: str
    must: str
    aim: str
    measured: str
    verdict: str


def rows(results: Results) -> list[Row]:
    """All rows, those that were not measured included."""
    return [
        _ratio(
            "HTTP transfers/s at 256 connections ÷ direct", 1.5, 2.2, _beside(results, "direct")
        ),
        _ratio("the same ÷ one message per command", 2.5, 4.0, _beside(results, "single")),
        _lone(results),
        _tail(results),
        _due_diligence(results),
        _bulk(results),
        _beside_bulk(results),
        _ratio("one hot wallet credited by everyone ÷ uniform", 0.7, 0.9, _hot(results)),
        _ratio("two consumers with one SYSTEM wallet ÷ one", 0.9, 1.0, _two(results)),
        _kept("throughput kept at ten times the history", results, growth.NAME, 10),
        _kept("throughput kept at a thousand times the wallets", results, many_wallets.NAME, 1000),
        _memory(results.memory),
        _reconciling(results),
    ]


def rate(loads: Iterable[Load], wanted: Callable[[Load], bool]) -> float | None:
    """The median of the rounds, of valid measurements alone."""
    rates = [load.rate_per_s for load in loads if wanted(load) and not load.problem]
    return median(rates) if rates else None


def _in_closed_loop(system: str, connections: int) -> Callable[[Load], bool]:
    return lambda load: (
        load.scenario == closed_loop.NAME
        and load.system == system
        and load.connections == connections
    )


def _beside(results: Results, baseline: str) -> float | None:
    return _divided(
        rate(results.loads, _in_closed_loop("product", _CONNECTIONS)),
        rate(results.loads, _in_closed_loop(baseline, _CONNECTIONS)),
    )


def _median_of(
    results: Results, system: str, connections: int, of: Callable[[Load], float]
) -> float | None:
    wanted = _in_closed_loop(system, connections)
    found = [of(load) for load in results.loads if wanted(load) and not load.problem]
    return median(found) if found else None


def _lone(results: Results) -> Row:
    ours, theirs = (
        _median_of(results, system, 1, lambda load: load.latency.p50_ms)
        for system in ("product", "direct")
    )
    ratio = _divided(ours, theirs)
    measured = "not measured"
    if ratio is not None:
        measured = f"{ratio:.2f} ({ours:.1f} ms ÷ {theirs:.1f} ms)"
    return Row("a lone transfer, p50 ÷ direct's", "≤ 4", "≤ 2.5", measured, _at_most(ratio, 4, 2.5))


def _tail(results: Results) -> Row:
    p99 = _median_of(results, "product", _CONNECTIONS, lambda load: load.latency.p99_ms)
    measured = "not measured" if p99 is None else f"{p99:.0f} ms"
    return Row("p99 at 256 connections", "≤ 120 ms", "≤ 80 ms", measured, _at_most(p99, 120, 80))


def _due_diligence(results: Results) -> Row:
    """Only a rate that was held for ten minutes can reach a column."""
    arrivals = [a for a in results.arrivals if a.scenario == due_diligence.NAME]
    good = [a for a in arrivals if due_diligence.is_good(a)]
    best = max(good, key=lambda a: (a.case == due_diligence.HELD, a.rate_per_s), default=None)
    measured, verdict = "not measured", _OPEN
    if best is not None:
        measured = f"{best.rate_per_s}/s for {best.seconds:.0f} s, max {best.all.max_ms:.0f} ms"
        if best.seconds >= _HELD_S:
            verdict = _reached(best)
    elif arrivals:
        measured, verdict = "no rate was good", _MISSED
    return Row(
        "due diligence: highest rate of mixed calls with p99.9 < 100 ms for 10 minutes",
        "≥ 500/s",
        "≥ 1,500/s, max < 100 ms",
        measured,
        verdict,
    )


def _reached(best: Arrivals) -> str:
    if best.rate_per_s >= 1500 and best.all.max_ms < due_diligence.LIMIT_MS:
        return _AIM
    return _MUST if best.rate_per_s >= 500 else _MISSED


def _bulk(results: Results) -> Row:
    """The file beside the ceiling for the very rows that it made."""
    figure = f"bulk: file → queue → committed → results, transfers/s ÷ {limit.INSERT_SELECT}"
    files = [f.rate_per_s for f in results.files if not f.problem]
    ceilings = [
        x.rate_per_s
        for x in results.limits
        if (x.scenario, x.way) == (bulk.NAME, limit.INSERT_SELECT)
    ]
    if not files or not ceilings:
        return _ratio(figure, 0.2, 0.5, None)
    ours, ceiling = median(files), median(ceilings)
    row = _ratio(figure, 0.2, 0.5, ours / ceiling)
    return row._replace(measured=f"{row.measured} ({ours:,.0f}/s ÷ {ceiling:,.0f}/s)")


def _beside_bulk(results: Results) -> Row:
    """Nothing is measured where the file was not there all the time."""
    found = {
        a.case: a.all.p99_ms
        for a in results.arrivals
        if a.scenario == live_beside_bulk.NAME and not a.problem
    }
    if any(beside.problem for beside in results.besides):
        found = {}
    p99, alone = (found.get(c) for c in (live_beside_bulk.BESIDE, live_beside_bulk.ALONE))
    measured, verdict = "not measured", _OPEN
    if p99 is not None:
        measured = f"{p99:.0f} ms" + ("" if alone is None else f" ({alone:.0f} ms without a file)")
        verdict = _at_most(p99, 100, 80) if p99 < live_beside_bulk.LIMIT_MS else _MISSED
    figure = f"live p99 at {live_beside_bulk.PER_S}/s beside bulk"
    return Row(figure, "< 100 ms", "≤ 80 ms", measured, verdict)


def _hot(results: Results) -> float | None:
    uniform, credited, _ = hot_wallets.KINDS
    return _divided(
        _case(results, hot_wallets.NAME, credited), _case(results, hot_wallets.NAME, uniform)
    )


def _two(results: Results) -> float | None:
    one, two = (two_consumers.case(count) for count in two_consumers.COUNTS)
    return _divided(
        _case(results, two_consumers.NAME, two), _case(results, two_consumers.NAME, one)
    )


def _kept(figure: str, results: Results, scenario: str, times: int) -> Row:
    """The largest books of the scenario beside the smallest; only where they are so many times as
    large can they reach a column."""
    cases = list(dict.fromkeys(load.case for load in results.loads if load.scenario == scenario))
    if len(cases) < 2:
        return _ratio(figure, 0.9, 1.0, None)
    smallest, *_, largest = cases
    kept = _divided(_case(results, scenario, largest), _case(results, scenario, smallest))
    row = _ratio(figure, 0.9, 1.0, kept)
    verdict = row.verdict if _size(largest) >= times * _size(smallest) else _OPEN
    return row._replace(measured=f"{row.measured} ({smallest} → {largest})", verdict=verdict)


def _size(case: str) -> int:
    return int(case.split()[0])


def _case(results: Results, scenario: str, case: str) -> float | None:
    return rate(
        results.loads,
        lambda load: load.scenario == scenario and load.case == case and load.system == "product",
    )


def resident_mib(memory: Memory) -> float:
    """Of gateways and consumers, as the table asks for."""
    return sum(
        mib for name, mib in memory.resident_mib.items() if name.startswith(("gateway", "consumer"))
    )


def _memory(samples: list[Memory]) -> Row:
    measured, verdict = "not measured", _OPEN
    if samples:
        mib = [resident_mib(sample) for sample in samples]
        half = len(mib) // 2
        flat = half == 0 or max(mib[half:]) <= max(mib[:half]) * _FLAT
        measured = f"{mib[-1]:.0f} MiB after {samples[-1].commands} commands, " + (
            "flat" if flat else "growing"
        )
        if samples[-1].commands >= _SOAK_COMMANDS:
            verdict = _at_most(max(mib), 300, 200) if flat else _MISSED
    return Row(
        "memory of gateway + consumer after 10⁶ commands",
        "≤ 300 MiB, flat",
        "≤ 200 MiB",
        measured,
        verdict,
    )


def _reconciling(results: Results) -> Row:
    """Only a million lines can reach a column."""
    measured, verdict = "not measured", _OPEN
    good = [each for each in results.comparisons if not each.problem]
    if good:
        worst = max(good, key=lambda each: each.comparing_s)
        mib = sum(worst.peak_mib.values())
        measured = f"{worst.comparing_s:.0f} s, {mib:.0f} MiB for {worst.lines:,} lines"
        if worst.lines >= _RECONCILED_LINES:
            verdict = _at_most(max(worst.comparing_s / 60, mib / 300), 1, 0.5)
    return Row(
        "reconciling 10⁶ rows a side",
        "≤ 60 s, ≤ 300 MiB",
        "≤ 30 s, ≤ 150 MiB",
        measured,
        verdict,
    )


def _ratio(figure: str, must: float, aim: float, measured: float | None) -> Row:
    text, verdict = "not measured", _OPEN
    if measured is not None:
        # Cut, not rounded: what is shown as reached was reached.
        text = f"{math.floor(round(measured * 100, 6)) / 100:.2f}"
        verdict = _AIM if measured >= aim else _MUST if measured >= must else _MISSED
    return Row(figure, f"≥ {must:g}", f"≥ {aim:g}", text, verdict)


def _at_most(measured: float | None, must: float, aim: float) -> str:
    if measured is None:
        return _OPEN
    return _AIM if measured <= aim else _MUST if measured <= must else _MISSED


def _divided(numerator: float | None, denominator: float | None) -> float | None:
    if numerator is None or not denominator:
        return None
    return numerator / denominator
