"""What the benchmark says of its figures: the table of aims, the report, the plots."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from bench import aims, drawn, report
from bench.effort import FULL, QUICK
from bench.latency import Latency
from bench.plots import Plot, nice, svg
from bench.results import (
    Arrivals,
    Audit,
    FileBeside,
    FileRun,
    FileSample,
    Limit,
    Load,
    Memory,
    Results,
)
from bench.scenarios import SCENARIOS
from bench.scenarios.due_diligence import HELD

FLAT = Latency(1.0, 2.0, 3.0, 4.0, 5.0, 1.5)


def load(system: str, rate: float, **more: object) -> Load:
    fields: dict[str, object] = {
        "scenario": "closed loop",
        "system": system,
        "setup": "",
        "case": "",
        "connections": 256,
        "round": 1,
        "seconds": 1.0,
        "answers": int(rate),
        "rate_per_s": rate,
        "latency": FLAT,
        "statuses": {},
        "failures": {},
        "cores": {"gateway": 0.5, "load generator": 0.1},
        "problem": "",
        **more,
    }
    return Load(**fields)  # type: ignore[arg-type]


def arrivals(rate: int, p999_ms: float, max_ms: float, seconds: float, case: str = "") -> Arrivals:
    latency = Latency(1.0, 2.0, 3.0, p999_ms, max_ms, 1.0)
    return Arrivals(
        "due diligence", "product", "", case, rate, seconds, 1, {}, latency, FLAT, 1, {}, {}, ""
    )


def memory(commands: int, mib: float) -> Memory:
    return Memory(1.0, commands, {"gateway": mib / 2, "consumer-0": mib / 2, "relay": 999.0}, {})


def empty() -> Results:
    return Results({"name": "full"}, 1, "today", {"cores": "2"}, {"python": "3"}, {"fsync": "on"})


def verdicts(results: Results) -> dict[str, tuple[str, str]]:
    return {row.figure: (row.measured, row.verdict) for row in aims.rows(results)}


def test_without_figures_every_row_is_open() -> None:
    assert {verdict for _, verdict in verdicts(empty()).values()} == {""}


def test_throughput_is_the_median_of_valid_rounds() -> None:
    results = empty()
    results.loads = [load("product", rate) for rate in (5000, 100, 5200)]
    results.loads += [load("product", 1, problem="3 times 503")]
    results.loads += [load("direct", 2500), load("single", 2500)]
    found = verdicts(results)
    assert found["HTTP transfers/s at 256 connections ÷ direct"] == ("2.00", "must")
    assert found["the same ÷ one message per command"] == ("2.00", "missed")
    assert found["p99 at 256 connections"] == ("3 ms", "aim")


@pytest.mark.parametrize(
    ("ours", "expected"), [(3749, ("1.49", "missed")), (3750, ("1.50", "must"))]
)
def test_what_is_nearly_reached_is_missed(ours: float, expected: tuple[str, str]) -> None:
    results = empty()
    results.loads = [load("product", ours), load("direct", 2500)]
    assert verdicts(results)["HTTP transfers/s at 256 connections ÷ direct"] == expected


def test_a_lone_transfer_is_compared_by_its_median() -> None:
    results = empty()
    results.loads = [
        load("product", 1, connections=1, latency=Latency(3.0, 0, 0, 0, 0, 0)),
        load("direct", 1, connections=1, latency=Latency(1.0, 0, 0, 0, 0, 0)),
    ]
    found = verdicts(results)["a lone transfer, p50 ÷ direct's"]
    assert found == ("3.00 (3.0 ms ÷ 1.0 ms)", "must")


@pytest.mark.parametrize(
    ("largest", "expected"),
    [
        ("1000000 transfers", ("0.95 (100000 transfers → 1000000 transfers)", "must")),
        ("200000 transfers", ("0.95 (100000 transfers → 200000 transfers)", "")),
    ],
)
def test_growth_only_counts_at_its_full_size(largest: str, expected: tuple[str, str]) -> None:
    results = empty()
    results.loads = [
        load("product", 1000, scenario="growth", case="100000 transfers"),
        load("product", 950, scenario="growth", case=largest),
    ]
    assert verdicts(results)["throughput kept at ten times the history"] == expected


def file_run(lines: int, problem: str = "") -> FileRun:
    samples = [FileSample(1.0, 10, {"bulk": 60.0}), FileSample(2.0, lines, {"bulk": 55.0})]
    phases = (0.5, 3.0, 0.5)
    taken = {"bulk": 0.4, "postgresql": 0.9}
    return FileRun(
        "bulk", "product", "", f"{lines} lines", lines, 2.0, *phases, samples, taken, problem
    )


@pytest.mark.parametrize(
    ("lines", "problem", "expected"),
    [
        (80_000, "", ("0.50 (20,000/s ÷ 40,000/s)", "aim")),
        (32_000, "", ("0.20 (8,000/s ÷ 40,000/s)", "must")),
        (16_000, "", ("0.10 (4,000/s ÷ 40,000/s)", "missed")),
        (80_000, "79999 of 80000 lines were posted", ("not measured", "")),
    ],
)
def test_a_file_is_compared_end_to_end_with_the_ceiling_of_its_own_rows(
    lines: int, problem: str, expected: tuple[str, str]
) -> None:
    results = empty()
    results.files = [file_run(lines, problem)]
    results.limits = [
        Limit("bulk", "INSERT … SELECT", lines, 1.0, rate) for rate in (39_000, 40_000, 50_000)
    ]
    # Of other rows, and not the statement that is meant.
    results.limits.append(Limit("limit", "INSERT … SELECT", 5, 1.0, 1e9))
    results.limits.append(Limit("limit", "pgbench, 1 clients", 5, 1.0, 1.0))
    (found,) = (f for figure, f in verdicts(results).items() if figure.startswith("bulk: file"))
    assert found == expected
    assert bool(results.problems) == bool(problem)


def payments(case: str, p99_ms: float, problem: str = "") -> Arrivals:
    latency = Latency(1.0, 2.0, p99_ms, p99_ms + 1, p99_ms + 2, 1.0)
    return Arrivals(
        *("live beside bulk", "product", "", case, 200, 60, 1, {}, latency, FLAT, 1, {}, {}),
        problem,
    )


@pytest.mark.parametrize(
    ("p99_ms", "ended", "expected"),
    [
        (80.0, "", ("80 ms (9 ms without a file)", "aim")),
        (99.9, "", ("100 ms (9 ms without a file)", "must")),
        (100.0, "", ("100 ms (9 ms without a file)", "missed")),
        (50.0, "the file was DONE before the payments", ("not measured", "")),
    ],
)
def test_payments_are_only_beside_a_file_that_is_there(
    p99_ms: float, ended: str, expected: tuple[str, str]
) -> None:
    results = empty()
    results.arrivals = [payments("no file", 9.0), payments("beside a file", p99_ms)]
    results.besides = [
        FileBeside("live beside bulk", "product", "beside a file", 60, 60_000, ended)
    ]
    assert verdicts(results)["live p99 at 200/s beside bulk"] == expected
    assert bool(results.problems) == bool(ended)


def test_the_report_tells_a_file_phase_by_phase() -> None:
    results = empty()
    results.files = [file_run(80_000)]
    results.arrivals = [payments("no file", 9.0), payments("beside a file", 50.0)]
    results.besides = [FileBeside("live beside bulk", "product", "beside a file", 60, 60_000, "")]
    told = report.text(results, {})
    assert "| 80000 lines | accepting | 0.50 | 160,000 | 4.0 |" in told
    assert "| 80000 lines | draining | 3.00 | 26,667 |  |" in told
    assert "| 80000 lines | results | 0.50 | 160,000 |  |" in told
    assert "| 80000 lines | end to end | 4.00 | 20,000 |  |" in told
    assert "| 80000 lines | bulk | 60 | 0.40 |" in told
    assert "| 80000 lines | postgresql |  | 0.90 |" in told
    assert "| no file | 200 | 1.0 | 9.0 | 10.0 | 11.0 |  |" in told
    assert "| beside a file | 200 | 1.0 | 50.0 | 51.0 | 52.0 | 1,000 |" in told
    assert {"bulk", "bulk-memory", "beside-bulk"} <= drawn.plots(results).keys()


DUE = "due diligence: highest rate of mixed calls with p99.9 < 100 ms for 10 minutes"


@pytest.mark.parametrize(
    ("runs", "expected"),
    [
        ([arrivals(1500, 50, 80, 60)], ("1500/s for 60 s, max 80 ms", "")),
        ([arrivals(1500, 50, 80, 600, HELD)], ("1500/s for 600 s, max 80 ms", "aim")),
        ([arrivals(1500, 50, 180, 600, HELD)], ("1500/s for 600 s, max 180 ms", "must")),
        (
            [arrivals(1500, 50, 80, 60), arrivals(500, 50, 80, 600, HELD)],
            ("500/s for 600 s, max 80 ms", "must"),
        ),
        ([arrivals(100, 50, 80, 600, HELD)], ("100/s for 600 s, max 80 ms", "missed")),
        ([arrivals(100, 150, 180, 60)], ("no rate was good", "missed")),
    ],
)
def test_only_a_rate_that_was_held_reaches_a_column(
    runs: list[Arrivals], expected: tuple[str, str]
) -> None:
    results = empty()
    results.arrivals = runs
    assert verdicts(results)[DUE] == expected


@pytest.mark.parametrize(
    ("samples", "expected"),
    [
        (
            [memory(10, 100), memory(1_000_000, 102)],
            ("102 MiB after 1000000 commands, flat", "aim"),
        ),
        (
            [memory(10, 240), memory(1_000_000, 250)],
            ("250 MiB after 1000000 commands, flat", "must"),
        ),
        (
            [memory(10, 100), memory(1_000_000, 140)],
            ("140 MiB after 1000000 commands, growing", "missed"),
        ),
        ([memory(10, 100), memory(20_000, 100)], ("100 MiB after 20000 commands, flat", "")),
    ],
)
def test_memory_has_to_be_small_and_flat(samples: list[Memory], expected: tuple[str, str]) -> None:
    results = empty()
    results.memory = samples
    found = verdicts(results)["memory of gateway + consumer after 10⁶ commands"]
    assert found == expected


def test_the_report_names_what_is_invalid_and_what_was_not_run() -> None:
    results = empty()
    results.loads = [load("product", 5000), load("direct", 1, problem="3 times 503")]
    results.audits = [Audit("closed loop", "product", 5, 0.1, ["balances-are-the-sum-of-entries"])]
    results.failed = {"soak": "Ended: gateway"}
    told = report.text(results, {"Throughput": "report-throughput.svg"})
    assert "**invalid**: closed loop, direct, transfers: 3 times 503" in told
    assert "**invalid**: closed loop, product: the books break balances-are" in told
    assert "**invalid**: soak broke off: Ended: gateway" in told
    assert "not run: hot wallets, sessions" in told
    assert "![Throughput](report-throughput.svg)" in told
    assert "| closed loop | transfers | direct | 256 | invalid |" in told
    assert "| closed loop | transfers | product | 256 | 5,000 | 1.0 | 3.0 | 4.0 | 5.0 |" in told
    assert "| system | connections | gateway | load generator |" in told


def test_a_table_keeps_its_columns() -> None:
    assert report.table(("a", "b"), [("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"
    assert report.table(("a",), []) == ""


def test_every_scenario_says_how_long_it_takes() -> None:
    for scenario in SCENARIOS.values():
        assert 0 < scenario.seconds(QUICK) < scenario.seconds(FULL)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 1), (1, 1), (1.1, 2), (4.9, 5), (2100, 2500), (99, 100), (0.03, 0.05)],
)
def test_an_axis_ends_at_a_round_number(value: float, expected: float) -> None:
    assert nice(value) == pytest.approx(expected)


def test_a_plot_is_a_document_with_every_line() -> None:
    plot = Plot("A < B", "x", "y", {"one": [(0, 1), (1, 4)], "two": [(0, 2)]}, ["1", "8"])
    root = ElementTree.fromstring(svg(plot))  # noqa: S314 - our own text
    space = "{http://www.w3.org/2000/svg}"
    assert len(root.findall(f"{space}polyline")) == 2
    texts = [element.text for element in root.findall(f"{space}text")]
    assert {"A < B", "one", "two", "1", "8", "5"} <= set(texts)
    with pytest.raises(ValueError, match="nothing to plot"):
        svg(Plot("", "", "", {}))
