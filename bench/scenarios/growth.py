"""Ten times the history on the same wallets, and ten and a thousand times the wallets."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Final

from bench.effort import Effort
from bench.filling import filling
from bench.installation import Installation
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "growth"


async def run(bench: Workbench) -> None:
    async with AsyncExitStack() as stack:
        books = {}
        for transfers in bench.effort.growth:
            bench.say(f"  filling up to {transfers} transfers")
            installation = await stack.enter_async_context(bench.installation(NAME, Product()))
            async with filling(installation) as filler:
                await filler.transfers(transfers, bench.seed())
            await installation.settle()
            books[f"{transfers} transfers"] = installation
        await measured(bench, NAME, books)


async def measured(bench: Workbench, scenario: str, books: Mapping[str, Installation]) -> None:
    """Books of every size in turn within a round, as other scenarios do it with systems."""
    for round_ in range(1, bench.effort.rounds + 1):
        for case, installation in books.items():
            await bench.point(scenario, Product(), installation, case=case, round_=round_)


def seconds(effort: Effort) -> float:
    commands = sum(effort.growth)
    loads = len(effort.growth) * effort.rounds * point_s(effort)
    return (
        len(effort.growth) * INSTALL_S + commands / FILLED_PER_S + commands / AUDITED_PER_S + loads
    )
