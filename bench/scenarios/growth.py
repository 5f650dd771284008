"""Ten times the history on the same wallets, and ten and a thousand times the wallets."""

from __future__ import annotations

from typing import Final

from bench.effort import Effort
from bench.filling import filling
from bench.installation import Installation
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "growth"


async def run(bench: Workbench) -> None:
    async with bench.installation(NAME, Product()) as installation:
        for transfers in bench.effort.growth:
            bench.say(f"  filling up to {transfers} transfers")
            async with filling(installation) as filler:
                await filler.transfers(transfers, bench.seed())
            await measured(bench, NAME, installation, f"{transfers} transfers")


async def measured(bench: Workbench, scenario: str, installation: Installation, case: str) -> None:
    """All rounds at one size of the books, once what filling left behind has been put away."""
    await installation.settle()
    for round_ in range(1, bench.effort.rounds + 1):
        await bench.point(scenario, Product(), installation, case=case, round_=round_)


def seconds(effort: Effort) -> float:
    commands = effort.growth[-1]
    loads = len(effort.growth) * effort.rounds * point_s(effort)
    return INSTALL_S + commands / FILLED_PER_S + commands / AUDITED_PER_S + loads
