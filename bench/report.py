"""The report in Markdown, with its plots beside it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median
from typing import Final

from bench import aims, drawn
from bench.plots import svg
from bench.results import Load, Results
from bench.scenarios import SCENARIOS, closed_loop, live_beside_bulk, soak

_KEY_PACKAGES: Final = (
    "python",
    "postgresql",
    "rabbitmq",
    "fastapi",
    "starlette",
    "uvicorn",
    "uvloop",
    "httptools",
    "pydantic",
    "msgspec",
    "asyncpg",
    "aio-pika",
    "aiormq",
)
_BASELINES: Final = """\
- **product**: as `./sov up` runs it here, the relay that publishes events included.
- **direct**: the product's own gateway (the same routing, validation, auth and encoding), with one
  PL/pgSQL call per request on a pool of connections instead of the queue: the same tables, indexes,
  rules and order of refusals, one transaction per request, `synchronous_commit=on`. It writes no
  hash chain, keeps no head rows and publishes no events.
- **one message per command** (`single`): the product with one command per message and one message
  per transaction; publishing does not wait for confirms, consumers are handed 64 messages ahead.

Both baselines were tried in several setups, and the fastest of each is what the product is compared
with. Only the system that is being measured runs; each starts afresh for every measurement."""


def write(results: Results, path: Path) -> list[Path]:
    """Write the report and its plots; answers all files."""
    written = [path]
    pictures = {}
    for name, plot in drawn.plots(results).items():
        picture = path.with_name(f"{path.stem}-{name}.svg")
        picture.write_text(svg(plot))
        pictures[plot.title] = picture.name
        written.append(picture)
    path.write_text(text(results, pictures))
    return written


def text(results: Results, pictures: dict[str, str]) -> str:
    """The report; ``pictures``: file names by title."""
    parts = [
        "# Performance",
        f"Measured by `./sov bench` ({results.effort['name']}, seed {results.seed}) on"
        f" {results.started}, in {results.seconds / 60:.0f} minutes, everything on one machine:"
        " load generator, gateway, RabbitMQ, PostgreSQL.",
        _problems(results),
        table(
            ("figure", "must", "aim", "measured", "reaches"),
            ((r.figure, r.must, r.aim, r.measured, r.verdict) for r in aims.rows(results)),
        ),
        "## What is compared\n\n" + _BASELINES,
        table(("baseline", "fastest setup"), sorted(results.setups.items())),
        *(f"![{title}]({name})" for title, name in pictures.items()),
        _section(
            "Transfers over HTTP, closed loop",
            "The median of the rounds.",
            _loads([x for x in results.loads if x.scenario == closed_loop.NAME]),
        ),
        _section(
            "Where the processor's time goes",
            "Cores kept busy while that was measured; the median of the rounds. Within the"
            " processes: [profiles](profiles.md), before and after the performance work.",
            _cores([x for x in results.loads if x.scenario == closed_loop.NAME]),
        ),
        _section(
            "Other loads",
            "The median of the rounds.",
            _loads([x for x in results.loads if x.scenario not in (closed_loop.NAME, soak.NAME)]),
        ),
        _section(
            "Constant rates, open loop",
            "Milliseconds from when a request was due to its answer.",
            _arrivals(results),
        ),
        *_bulk(results),
        _section(
            "Reconciling",
            "An extract of Eclipse's with as many lines as transfers, in another order, one in a"
            " thousand left out, and one in a thousand, then all, with another amount. And the rows"
            " of a bank account with as many bookings: all alike, one in a thousand, then all with"
            " another amount. Memory: the most that the process held, and its session of PostgreSQL"
            " without what all sessions share.",
            _comparisons(results),
        ),
        _section(
            "What PostgreSQL alone writes",
            "The rows of as many transfers, their entries and outcomes into empty tables with the"
            " same indexes; and the direct baseline's statement without HTTP and Python.",
            _limits(results),
        ),
        _section("The books afterwards", "Every rule, and the chain.", _audits(results)),
        "## Where",
        table(("machine", ""), results.machine.items()),
        table(("version", ""), ((n, results.versions.get(n, "?")) for n in _KEY_PACKAGES)),
        table(("setting", ""), results.settings.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _section(title: str, words: str, content: str) -> str:
    return f"## {title}\n\n{words}\n\n{content}" if content else ""


def _bulk(results: Results) -> list[str]:
    words = (
        "Accepting: from the first byte sent to the answer that all of it is there. Draining: from"
        " there until every line has its word. Results: from there until every word is read."
    )
    return [
        _section("A bulk file", words, _phases(results)),
        _section(
            "What the bulk file takes",
            "The most memory that each process held, and cores kept busy over the whole way.",
            _taken(results),
        ),
        _section(
            "Payments beside a bulk file",
            "Milliseconds from when a payment was due to its answer.",
            _payments(results),
        ),
    ]


def _phases(results: Results) -> str:
    lines = []
    for file in results.files:
        for phase, taken_s in {
            "accepting": file.accepting_s,
            "draining": file.draining_s,
            "results": file.results_s,
            "end to end": file.seconds,
        }.items():
            rate = f"{file.lines / taken_s:,.0f}"
            mib = f"{file.mib / taken_s:,.1f}" if phase == "accepting" else ""
            lines.append((file.case, phase, f"{taken_s:.2f}", rate, mib))
    return table(("file", "phase", "seconds", "lines/s", "MiB/s"), lines)


def _taken(results: Results) -> str:
    return table(
        ("file", "part", "peak RSS, MiB", "cores"),
        (
            (file.case, part, f"{peak[part]:.0f}" if part in peak else "", f"{cores:.2f}")
            for file in results.files
            for peak in (file.peak_mib,)
            for part, cores in file.cores.items()
        ),
    )


def _payments(results: Results) -> str:
    meanwhile = {beside.case: f"{beside.rate_per_s:,.0f}" for beside in results.besides}
    return table(
        ("case", "payments/s", "p50", "p99", "p99.9", "max", "lines/s of the file"),
        (
            (
                a.case,
                f"{a.rate_per_s}",
                *(f"{x:.1f}" for x in (a.all.p50_ms, a.all.p99_ms, a.all.p999_ms, a.all.max_ms)),
                meanwhile.get(a.case, ""),
            )
            for a in results.arrivals
            if a.scenario == live_beside_bulk.NAME
        ),
    )


def _comparisons(results: Results) -> str:
    head = ("what", "MiB", "accepting, s", "comparing, s", "peak memory, MiB")
    return table(head, (each.cells for each in results.comparisons))


def _limits(results: Results) -> str:
    return table(
        ("scenario", "way", "transfers", "seconds", "transfers/s"),
        (
            (x.scenario, x.way, f"{x.transfers:,}", f"{x.seconds:.1f}", f"{x.rate_per_s:,.0f}")
            for x in results.limits
        ),
    )


def _audits(results: Results) -> str:
    return table(
        ("scenario", "system", "transfers", "broken rules", "audit, s"),
        (
            (
                a.scenario,
                a.system,
                f"{a.transfers:,}",
                ", ".join(a.broken) or "none",
                f"{a.seconds:.1f}",
            )
            for a in results.audits
        ),
    )


def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    """Rows of cells as Markdown; nothing where there are none."""
    found = [[cell.replace("|", "\\|") for cell in line] for line in lines]
    if not found:
        return ""
    rows = [head, ["---"] * len(head), *found]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _problems(results: Results) -> str:
    missing = [name for name in SCENARIOS if name not in {a.scenario for a in results.audits}]
    lines = [f"- **invalid**: {problem}" for problem in results.problems]
    lines += [f"- {note}" for note in results.notes]
    if missing:
        lines.append(f"- not run: {', '.join(missing)}")
    return "\n".join(lines)


def _loads(loads: Sequence[Load]) -> str:
    groups: dict[tuple[str, str, str, int], list[Load]] = {}
    for load in loads:
        key = (load.scenario, load.case or "transfers", load.system, load.connections)
        groups.setdefault(key, []).append(load)
    return table(
        (
            "scenario",
            "case",
            "system",
            "connections",
            "answers/s",
            "p50 ms",
            "p99 ms",
            "p99.9 ms",
            "max ms",
        ),
        ((*key[:3], str(key[3]), *_medians(rounds)) for key, rounds in groups.items()),
    )


def _cores(loads: Sequence[Load]) -> str:
    parts = list(dict.fromkeys(part for load in loads for part in load.cores))
    groups: dict[tuple[str, int], list[Load]] = {}
    for load in loads:
        groups.setdefault((load.system, load.connections), []).append(load)
    return table(
        ("system", "connections", *parts),
        (
            (system, str(connections), *(_cores_of(rounds, part) for part in parts))
            for (system, connections), rounds in groups.items()
        ),
    )


def _cores_of(rounds: Sequence[Load], part: str) -> str:
    found = [load.cores[part] for load in rounds if part in load.cores]
    return f"{median(found):.2f}" if found else ""


def _medians(rounds: Sequence[Load]) -> tuple[str, ...]:
    valid = [load for load in rounds if not load.problem]
    if not valid:
        return ("invalid", "", "", "", "")
    latencies = [load.latency for load in valid]
    return (
        f"{median(load.rate_per_s for load in valid):,.0f}",
        f"{median(x.p50_ms for x in latencies):.1f}",
        f"{median(x.p99_ms for x in latencies):.1f}",
        f"{median(x.p999_ms for x in latencies):.1f}",
        f"{max(x.max_ms for x in latencies):.1f}",
    )


def _arrivals(results: Results) -> str:
    lines = []
    for a in results.arrivals:
        name = f"{a.scenario}, {a.case}" if a.case else a.scenario
        for route, x in {"all": a.all, **a.routes, "(sent late by)": a.lateness}.items():
            figures = (x.p50_ms, x.p99_ms, x.p999_ms, x.max_ms)
            lines.append(
                (name, f"{a.rate_per_s}", f"{a.seconds:.0f}", route, *(f"{f:.1f}" for f in figures))
            )
    return table(("scenario", "calls/s", "seconds", "route", "p50", "p99", "p99.9", "max"), lines)
