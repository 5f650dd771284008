"""Reservations, and transfers that spend them: a card payment's two calls."""

from __future__ import annotations

from typing import Final

from bench import tuning
from bench.effort import Effort
from bench.scenarios.times import INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "sessions"


async def run(bench: Workbench) -> None:
    for system in (Product(), await tuning.direct(bench)):
        async with bench.installation(NAME, system) as installation:
            for round_ in range(1, bench.effort.rounds + 1):
                await bench.point(
                    NAME,
                    system,
                    installation,
                    kind="sessions",
                    case="sessions",
                    round_=round_,
                )


def seconds(effort: Effort) -> float:
    return 2 * (INSTALL_S + effort.rounds * point_s(effort))
