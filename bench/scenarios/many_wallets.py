"""From a thousand wallets to a million, all of them funded and used."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from bench.effort import Effort
from bench.scenarios.growth import measured
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "many wallets"


async def run(bench: Workbench) -> None:
    async with AsyncExitStack() as stack:
        books = {}
        for wallets in bench.effort.wallet_counts:
            bench.say(f"  {wallets} wallets")
            installation = bench.installation(NAME, Product(), wallets)
            books[f"{wallets} wallets"] = await stack.enter_async_context(installation)
        await measured(bench, NAME, books)


def seconds(effort: Effort) -> float:
    commands = 2 * sum(effort.wallet_counts)  # each is made and funded
    loads = len(effort.wallet_counts) * effort.rounds * point_s(effort)
    return (
        len(effort.wallet_counts) * INSTALL_S
        + commands / FILLED_PER_S
        + commands / AUDITED_PER_S
        + loads
    )
