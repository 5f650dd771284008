"""Balances and pages of history at a constant rate, alone and while others write all they can."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Final

from bench.effort import Effort
from bench.plan import READS
from bench.running import running
from bench.scenarios.times import INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "reads under load"
CASES: Final = ("reads alone", "reads beside writes")
_READS_PER_S: Final = 200
_WRITERS: Final = 64


async def run(bench: Workbench) -> None:
    effort = bench.effort
    alone, beside = CASES
    async with (
        bench.installation(NAME, Product()) as installation,
        running(Product(), installation) as system,
    ):
        await bench.warm_up(system)
        read = partial(
            bench.arrive, NAME, system, READS, rate_per_s=_READS_PER_S, seconds=effort.point_s
        )
        await read(case=alone)
        # The writes begin before the reads and end after them.
        writing = asyncio.create_task(
            bench.measure(
                NAME,
                system,
                case="writes beside reads",
                connections=_WRITERS,
                seconds=effort.point_s + 2 * effort.warm_up_s,
                beside=True,
            )
        )
        try:
            await read(case=beside, beside=True)
            await writing
        finally:
            writing.cancel()
            await asyncio.wait({writing})


def seconds(effort: Effort) -> float:
    return INSTALL_S + START_S + 4 * effort.warm_up_s + 2 * effort.point_s
