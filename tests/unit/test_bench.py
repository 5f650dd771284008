"""The benchmark's arithmetic: percentiles, plans, what makes a measurement invalid."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

import pytest

from bench import programs
from bench.bulk_file import Made, Words, counted, make
from bench.latency import Latency, latency_of, percentile
from bench.load import Wrk
from bench.open_loop import Record, finished, records_of
from bench.plan import MIXED, READS, ROUTES, Planner, encoded
from bench.processor import Spent, spent
from bench.results import unexpected
from bench.scenarios import bulk, live_beside_bulk
from cli.servers import install
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.servers.places import Say

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
    done = finished([*stalled, Record(ROUTES.index("balance"), 200, 0, 500)], 8)
    assert done.routes["transfer"].max_ms == pytest.approx(991)
    assert done.routes["transfer"].p50_ms == pytest.approx(491)
    assert done.lateness.max_ms == pytest.approx(990)
    assert done.routes["balance"].max_ms == pytest.approx(0.5)
    assert (done.answers, done.unexpected) == (101, {})


def test_what_was_not_answered_or_refused_is_unexpected() -> None:
    transfer, balance = ROUTES.index("transfer"), ROUTES.index("balance")
    records = [Record(transfer, 202, 0, 1), Record(transfer, 0, 0, 9), Record(balance, 201, 0, 1)]
    done = finished(records, 1)
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


def test_the_same_seed_makes_the_same_file_and_another_one_other_keys(tmp_path: Path) -> None:
    made = [make(tmp_path / f"{n}.csv", WALLETS, 500, seed) for n, seed in enumerate((7, 7, 8))]
    first, again, other = (one.path.read_text().splitlines() for one in made)
    assert first == again
    header, *lines = [line.split(",") for line in first]
    assert header == ["fromWalletId", "toWalletId", "amount", "externalUniqueId"]
    assert len(lines) == made[0].lines == 500
    assert made[0].size == made[0].path.stat().st_size
    assert all(source != target for source, target, *_ in lines)
    keys = {line[-1] for line in lines}
    assert len(keys) == 500
    assert not keys & {line.split(",")[-1] for line in other}


@pytest.mark.parametrize(
    ("document", "words", "expected"),
    [
        ({"status": "DONE", "posted": 5}, Words(5, 5), ""),
        ({"status": "DONE", "posted": 4}, Words(5, 5), "4 of 5 lines were posted"),
        (
            {"status": "DONE", "posted": 5},
            Words(4, 3),
            "4 lines of results, 3 of them posted",
        ),
        (
            {"status": "FAILED", "posted": 0, "reason": "no header"},
            Words(0, 0),
            "the file is FAILED: no header",
        ),
    ],
)
def test_a_file_whose_lines_are_not_all_posted_is_invalid(
    document: Mapping[str, object], words: Words, expected: str
) -> None:
    assert bulk.problem_of(Made(Path(), lines=5, size=1), dict(document), words) == expected


def test_a_file_that_ended_before_the_payments_was_not_beside_them() -> None:
    assert live_beside_bulk.problem_of({"status": "RUNNING"}) == ""
    assert "DONE before" in live_beside_bulk.problem_of({"status": "DONE"})


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_results_are_counted_however_they_are_cut(size: int) -> None:
    rows = (b"line,externalUniqueId,status,transferId,code,detail", b"1,key-1,POSTED,t1,,",
            b"2,key-2,REJECTED,,insufficient-funds,", b"3,key-3,POSTED,t3,,")  # fmt: skip
    text = b"".join(row + b"\r\n" for row in rows)

    async def parts() -> AsyncIterator[bytes]:
        for start in range(0, len(text), size):
            yield text[start : start + size]

    assert await counted(parts()) == Words(lines=3, posted=2)


def test_processor_time_is_of_the_time_between() -> None:
    first = Spent(10.0, {"gateway": 5.0})
    assert Spent(14.0, {"gateway": 7.0, "relay": 1.0}).cores_since(first) == {
        "gateway": 0.5,
        "relay": 0.25,
    }


def test_processor_time_of_a_process_grows_with_its_work(tmp_path: Path) -> None:
    own = {"own": os.getpid(), "nobody": 2**22}
    first = spent(own, Kept(tmp_path))
    while (now := spent(own, Kept(tmp_path))).by_part["own"] <= first.by_part["own"]:
        hashlib.sha256(b"work" * 100_000)
    assert now.by_part["nobody"] == 0


async def test_without_a_load_generator_it_says_how_to_get_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(packages: Sequence[str], say: Say) -> None:
        raise ServerUnavailable("apt-get needs root")

    monkeypatch.setattr(shutil, "which", lambda name: None if name == "wrk" else name)
    monkeypatch.setattr(install, "with_apt", refuse)
    with pytest.raises(programs.Missing, match=r"needs root[^\n]*\nDeb.*apt-get install wrk$"):
        await programs.require(print)


async def test_a_program_that_fails_has_its_last_words_told() -> None:
    assert await programs.run(5, "sh", "-c", "echo done") == "done\n"
    with pytest.raises(programs.Failed, match="sh ended with 3: no luck"):
        await programs.run(5, "sh", "-c", "echo no luck >&2; exit 3")
