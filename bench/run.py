"""One run of the benchmark, from empty servers to the report."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from bench import machine, programs, report
from bench.effort import Effort
from bench.installation import Servers
from bench.results import Results
from bench.scenarios import SCENARIOS
from bench.workbench import Workbench
from cli.servers.places import Say
from cli.servers.throwaway import throwaway


@dataclass(frozen=True, slots=True)
class Order:
    """What to do. ``scenarios``: names, in any order; none: all."""

    effort: Effort
    seed: int
    report: Path
    figures: Path
    scenarios: Sequence[str] = ()

    @property
    def chosen(self) -> list[str]:
        return [name for name in SCENARIOS if not self.scenarios or name in self.scenarios]

    @property
    def seconds(self) -> float:
        """About how long it takes."""
        return sum(SCENARIOS[name].seconds(self.effort) for name in self.chosen)


async def carry_out(order: Order, say: Say) -> Results:
    """Measure and write the report; nothing is left running however this ends.

    The figures are written after every scenario, so that one that is interrupted has those that it
    had by then. Raises ``programs.Missing`` or ``ServerUnavailable`` before anything is measured.
    """
    _end_orderly()
    started_s = time.monotonic()
    await programs.require(say)
    results = Results(
        effort=asdict(order.effort),
        seed=order.seed,
        started=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        machine=machine.machine(),
        versions=machine.package_versions(),
        settings={},
    )
    say(f"{order.effort.name}: {', '.join(order.chosen)}: about {order.seconds / 60:.0f} minutes")
    async with throwaway("sov-bench-", say) as (folder, kept):
        generator = await programs.compile_open_loop(folder)
        versions, results.settings = await machine.servers(kept)
        results.versions |= versions
        bench = Workbench(Servers(folder, kept), order.effort, results, generator, say)
        for name in order.chosen:
            await _run(bench, name)
            results.seconds = time.monotonic() - started_s
            results.write(order.figures)
    for path in (*report.write(results, order.report), order.figures):
        say(f"written: {path}")
    return results


async def _run(bench: Workbench, name: str) -> None:
    """One scenario; one that breaks off takes none of the others along."""
    bench.say(name)
    try:
        await SCENARIOS[name].run(bench)
    except Exception as error:
        # The report has to say that it failed, whatever it was; what is a defect is seen there.
        bench.results.failed[name] = f"{type(error).__name__}: {error}"
        bench.say(f"  broke off: {bench.results.failed[name]}")


def _end_orderly() -> None:
    """Be cancelled by whatever ends programs, so that everything is stopped. Ctrl-C too: a shell's
    background jobs are started with it ignored, and a script may send it all the same."""
    task = asyncio.current_task()
    if task is not None:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, task.cancel)
