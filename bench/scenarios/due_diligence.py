"""Mixed calls at constant rates: what a tenant of Eclipse has to show about all transactions."""

from __future__ import annotations

from typing import Final

from bench.effort import Effort
from bench.installation import Installation
from bench.plan import MIXED
from bench.results import Arrivals
from bench.running import running
from bench.scenarios.times import INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "due diligence"
HELD: Final = "held"
#: Of all calls but one in a thousand.
LIMIT_MS: Final = 100.0


async def run(bench: Workbench) -> None:
    """Every rate for a while; then the highest good one for long, or the next lower, until one
    holds."""
    effort = bench.effort
    async with bench.installation(NAME, Product()) as installation:
        good = [
            rate
            for rate in effort.rates
            if is_good(await _at(bench, installation, rate, effort.rate_s))
        ]
        if not effort.held_s:
            return
        for rate in reversed(good):
            if is_good(await _at(bench, installation, rate, effort.held_s, HELD)):
                return


def is_good(arrivals: Arrivals) -> bool:
    return not arrivals.problem and arrivals.all.p999_ms < LIMIT_MS


async def _at(
    bench: Workbench, installation: Installation, rate: int, duration_s: float, case: str = ""
) -> Arrivals:
    async with running(Product(), installation) as system:
        return await bench.arrive(
            NAME, system, MIXED, rate_per_s=rate, seconds=duration_s, case=case
        )


def seconds(effort: Effort) -> float:
    each = START_S + effort.warm_up_s
    return INSTALL_S + len(effort.rates) * (each + effort.rate_s) + each + effort.held_s
