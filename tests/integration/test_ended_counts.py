"""What processes had counted goes on counting after they ended, in as few files as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from cli.supervision import counts

PROGRAM = """
import sys
from prometheus_client import Counter, Gauge, Histogram
asked = Counter("asked_total", "Asked", ["by"])
asked.labels("é").inc(3)
asked.labels(sys.argv[1]).inc()
took = Histogram("took_seconds", "Took", buckets=(1, 2))
took.observe(0.5)
took.observe(1.5)
Gauge("in_flight", "Now", multiprocess_mode="livesum").set(5)
"""


def ended_process(folder: Path, name: str) -> int:
    """Its id; what it counted is in ``folder``."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(folder)}
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, name], env=environment)
    assert process.wait() == 0
    return process.pid


def shown(folder: Path) -> dict[str, float]:
    registry = CollectorRegistry()
    MultiProcessCollector(registry, path=str(folder))  # type: ignore[no-untyped-call]
    lines = generate_latest(registry).decode().splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in samples}


def test_counters_and_histograms_are_the_same_before_and_after(tmp_path: Path) -> None:
    ended = [ended_process(tmp_path, name) for name in ("a", "b", "a")]
    before = shown(tmp_path)
    assert before.pop("in_flight") == 15
    for pid in ended:
        counts.bury(tmp_path, pid)
    assert shown(tmp_path) == before
    assert before['asked_total{by="é"}'] == 9
    assert before['took_seconds_bucket{le="2.0"}'] == 6
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "counter_ended.db",
        "histogram_ended.db",
    ]


def test_a_file_cut_short_breaks_no_question(tmp_path: Path) -> None:
    ended = ended_process(tmp_path, "a")
    counts.bury(tmp_path, ended)
    before = shown(tmp_path)
    (tmp_path / "counter_77.db").touch()
    counts.bury(tmp_path, 77)
    assert shown(tmp_path) == before


def test_on_a_full_disk_the_process_goes_on_counting(tmp_path: Path) -> None:
    ended = ended_process(tmp_path, "a")
    before = shown(tmp_path)
    (tmp_path / ".counter_ended.db").symlink_to("/dev/full")
    counts.bury(tmp_path, ended)
    before.pop("in_flight")
    assert shown(tmp_path) == before
    assert (tmp_path / f"counter_{ended}.db").exists()
