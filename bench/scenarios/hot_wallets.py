"""One wallet in every transfer, credited or debited by all callers at once."""

from __future__ import annotations

from typing import Final

from bench import tuning
from bench.effort import Effort
from bench.running import running
from bench.scenarios.times import INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "hot wallets"
KINDS: Final = ("uniform", "credit-one", "debit-one")


async def run(bench: Workbench) -> None:
    for system in (Product(), await tuning.direct(bench)):
        async with (
            bench.installation(NAME, system) as installation,
            running(system, installation) as running_system,
        ):
            await bench.warm_up(running_system)
            for round_ in range(1, bench.effort.rounds + 1):
                for kind in KINDS:
                    await bench.measure(NAME, running_system, kind=kind, case=kind, round_=round_)


def seconds(effort: Effort) -> float:
    loads = effort.warm_up_s + effort.rounds * len(KINDS) * effort.point_s
    return 2 * (INSTALL_S + START_S + loads)
