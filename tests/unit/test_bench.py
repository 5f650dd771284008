"""The benchmark's arithmetic: percentiles, plans, verdicts, the report."""

from __future__ import annotations

import json
import re
import struct
from collections.abc import Mapping
from xml.etree import ElementTree

import pytest

from bench import aims, report
from bench.latency import Latency, latency_of, percentile
from bench.load import Wrk
from bench.open_loop import Record, finished, records_of
from bench.plan import MIXED, READS, ROUTES, Planner, encoded
from bench.plots import Plot, nice, svg
from bench.results import Arrivals, Audit, Load, Memory, Results, unexpected
from bench.scenarios import SCENARIOS
from bench.scenarios.due_diligence import HELD

WALLETS = [f"wallet-{n}" for n in range(20)]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 500), (0.9, 900), (0.99, 990), (0.999, 999), (1, 1000)]
)
def test_a_percentile_is_the_nearest_rank(share: float, expected: int) -> None:
    assert percentile(range(1, 1001), share) == expected


def test_percentiles_of_few_values_are_values() -> None:
    assert [percentile([7], share) for share in (0.001, 0.5, 0.999)] == [7, 7, 7]
    assert percentile([1, 2], 0.5) == 1
    assert percentile([1, 2], 0.51) == 2
    with pytest.raises(ValueError, match="no values"):
        percentile([], 0.5)


def test_latencies_come_in_any_order_and_in_microseconds() -> None:
    assert latency_of([3000, 1000, 2000]) == Latency(2.0, 3.0, 3.0, 3.0, 3.0, 2.0)


def test_latency_counts_from_when_a_request_was_due() -> None:
    """A stall of a second is everybody's: those sent late waited before they were sent, too."""
    transfer = ROUTES.index("transfer")
    stalled = [Record(transfer, 201, late, late + 1000) for late in range(0, 1_000_000, 10_000)]
    done = finished([*stalled, Record(ROUTES.index("balance"), 200, 0, 500)], 8, 0.02)
    assert done.routes["transfer"].max_ms == pytest.approx(991)
    assert done.routes["transfer"].p50_ms == pytest.approx(491)
    assert done.lateness.max_ms == pytest.approx(990)
    assert done.routes["balance"].max_ms == pytest.approx(0.5)
    assert (done.answers, done.unexpected) == (101, {})


def test_what_was_not_answered_or_refused_is_unexpected() -> None:
    transfer, balance = ROUTES.index("transfer"), ROUTES.index("balance")
    records = [Record(transfer, 202, 0, 1), Record(transfer, 0, 0, 9), Record(balance, 201, 0, 1)]
    done = finished(records, 1, 0)
    assert done.unexpected == {"202": 1, "0": 1, "201": 1}
    assert done.answers == 2


def test_records_are_read_as_the_generator_writes_them() -> None:
    assert records_of(struct.pack("=8I", 0, 201, 5, 900, 3, 200, 6, 700)) == [
        Record(0, 201, 5, 900),
        Record(3, 200, 6, 700),
    ]


def test_the_same_seed_plans_the_same_requests() -> None:
    first, again = (list(Planner(WALLETS, "key", 7).requests(MIXED)) for _ in range(2))
    assert first == again
    assert first != list(Planner(WALLETS, "key", 8).requests(MIXED))
    counts = [sum(route == ROUTES.index(name) for route, _ in first) for name in MIXED]
    assert counts == list(MIXED.values())


def test_every_write_has_a_key_of_its_own_that_changes_with_every_turn() -> None:
    requests = list(Planner(WALLETS, "key", 7).requests(MIXED))
    bodies = [json.loads(r.partition(b"\r\n\r\n")[2]) for _, r in requests if r[:4] == b"POST"]
    keys = [body["externalUniqueId"] for body in bodies]
    assert len(set(keys)) == len(keys)
    assert all(key.endswith("-########") for key in keys)
    assert all(
        body.get("fromWalletId") != body.get("toWalletId") or "toWalletId" not in body
        for body in bodies
    )


def test_session_transfers_spend_reservations_that_came_well_before() -> None:
    requests = list(Planner(WALLETS, "key", 7).requests(MIXED))
    placed: dict[str, tuple[int, str]] = {}
    spent: set[str] = set()
    for position, (route, request) in enumerate(requests):
        head, _, content = request.partition(b"\r\n\r\n")
        body = json.loads(content or "{}")
        if ROUTES[route] == "reservation":
            placed[body["sessionId"]] = position, head.split(b"/")[3].decode()
        elif ROUTES[route] == "session transfer" and body["sessionId"] in placed:
            reserved_at, wallet = placed[body["sessionId"]]
            assert position - reserved_at >= 200
            assert body["fromWalletId"] == wallet
            assert body["sessionId"] not in spent
            spent.add(body["sessionId"])
    # What a turn leaves held adds up over a run.
    assert len(spent) > 0.9 * MIXED["reservation"]


def test_the_plan_tells_the_generator_where_the_turn_goes() -> None:
    requests = list(Planner(WALLETS, "key", 7).requests({"session transfer": 500, **READS}))
    content = encoded(requests)
    (count,) = struct.unpack_from("=I", content)
    at = 4
    for route, request in requests[:count]:
        found_route, length, holes = struct.unpack_from("=3I", content, at)
        offsets = struct.unpack_from(f"={holes}I", content, at + 12)
        at += 12 + 4 * holes
        assert (found_route, content[at : at + length]) == (route, request)
        assert list(offsets) == [m.start() for m in re.finditer(b"########", request)]
        at += length
    assert at == len(content)


@pytest.mark.parametrize(
    ("statuses", "failures", "words"),
    [
        ({"201": 900}, {}, ""),
        ({"201": 900, "0": 64}, {"status": 0}, ""),
        ({"201": 900, "0": 65}, {}, "65 callers left without an answer"),
        ({"201": 900, "202": 3}, {}, "3 times 202"),
        (
            {"201": 900, "503 unavailable": 1},
            {"status": 1},
            "1 times 503 unavailable; 1 failures to status",
        ),
        ({}, {"connect": 64}, "64 failures to connect; no expected answer at all"),
    ],
)
def test_answers_that_nobody_expected_make_a_measurement_invalid(
    statuses: Mapping[str, int], failures: Mapping[str, int], words: str
) -> None:
    assert unexpected(statuses, ("201",), 64, failures) == words


def test_failures_are_those_that_the_load_generator_counts() -> None:
    wrk = Wrk(10, 1_000_000, 1, 2, 3, 4, 5, 100, 200, 300, 400, 500, 150.0)
    assert wrk.failures == {"connect": 1, "read": 2, "write": 3, "status": 4, "timeout": 5}
    assert wrk.latency == Latency(0.1, 0.2, 0.3, 0.4, 0.5, 0.15)


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
        "problem": "",
        **more,
    }
    return Load(**fields)  # type: ignore[arg-type]


def arrivals(rate: int, p999_ms: float, max_ms: float, seconds: float, case: str = "") -> Arrivals:
    latency = Latency(1.0, 2.0, 3.0, p999_ms, max_ms, 1.0)
    return Arrivals(
        "due diligence", "product", "", case, rate, seconds, 1, {}, latency, FLAT, 1, 0.0, {}, ""
    )


def memory(commands: int, mib: float) -> Memory:
    return Memory(1.0, commands, {"gateway": mib / 2, "consumer-0": mib / 2, "relay": 999.0}, {})


def empty() -> Results:
    return Results({"name": "full"}, 1, "today", {"cores": "2"}, {"python": "3"}, {"fsync": "on"})


def verdicts(results: Results) -> dict[str, tuple[str, str]]:
    return {row.figure: (row.measured, row.verdict) for row in aims.rows(results)}


def test_without_figures_every_row_is_open() -> None:
    assert {verdict for _, verdict in verdicts(empty()).values()} == {""}
    assert verdicts(empty())["bulk"][0] == "bulk: own issue"


def test_throughput_is_the_median_of_valid_rounds() -> None:
    results = empty()
    results.loads = [load("product", rate) for rate in (5000, 100, 5200)]
    results.loads += [load("product", 1, problem="3 times 503")]
    results.loads += [load("direct", 2500), load("single", 2500)]
    found = verdicts(results)
    assert found["HTTP transfers/s at 256 connections ÷ direct"] == ("2.00", "must")
    assert found["the same ÷ one message per command"] == ("2.00", "missed")
    assert found["p99 at 256 connections"] == ("3 ms", "aim")


def test_a_lone_transfer_is_compared_by_its_median() -> None:
    results = empty()
    results.loads = [
        load("product", 1, connections=1, latency=Latency(3.0, 0, 0, 0, 0, 0)),
        load("direct", 1, connections=1, latency=Latency(1.0, 0, 0, 0, 0, 0)),
    ]
    found = verdicts(results)["a lone transfer, p50 ÷ direct's"]
    assert found == ("3.00 (3.0 ms ÷ 1.0 ms)", "must")


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


def test_a_table_keeps_its_columns() -> None:
    assert report.table(("a", "b"), [("x|y", "z")]) == "| a | b |\n| --- | --- |\n| x\\|y | z |"
    assert report.table(("a",), []) == ""


def test_every_scenario_says_how_long_it_takes() -> None:
    from bench.effort import FULL, QUICK

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
