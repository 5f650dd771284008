"""Finding how each baseline is fastest here: a ratio is as honest as its weaker side.

Not the product: it is measured as ``./sov up`` sets it up by itself.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Final, TypeVar

from bench.systems import Direct, Single, System
from bench.workbench import Workbench

S = TypeVar("S", bound=System)

_SCENARIO: Final = "tuning"


async def direct(bench: Workbench) -> Direct:
    """The direct baseline in the setup in which it is fastest here; found once per run."""
    if bench.direct is None:
        pools = bench.effort.direct_connections
        bench.direct = await _fastest(bench, [Direct(w, c) for w in workers() for c in pools])
    return bench.direct


async def single(bench: Workbench) -> Single:
    """One message per command, likewise: with several consumers, whose commits overlap."""
    if bench.single is None:
        consumers = bench.effort.single_consumers
        bench.single = await _fastest(bench, [Single(count) for count in consumers])
    return bench.single


def workers() -> list[int]:
    """How many processes the direct baseline is tried with: up to one for each core."""
    cores = os.cpu_count() or 1
    return sorted({1, max(1, cores // 2), cores})


async def _fastest(bench: Workbench, candidates: Sequence[S]) -> S:
    """The candidate that answers most at the full number of connections."""
    bench.say(f"  finding the fastest setup of {candidates[0].name}")
    rates: list[float] = []
    async with bench.installation(_SCENARIO, candidates[0]) as installation:
        for candidate in candidates:
            load = await bench.point(
                _SCENARIO,
                candidate,
                installation,
                case=candidate.setup,
                seconds=bench.effort.tuning_s,
            )
            rates.append(load.rate_per_s)
    best = candidates[rates.index(max(rates))]
    bench.results.setups[best.name] = best.setup
    bench.say(f"  fastest: {best.setup}")
    return best
