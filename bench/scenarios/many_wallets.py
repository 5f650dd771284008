"""From a thousand wallets to a million, all of them funded and used."""

from __future__ import annotations

from typing import Final

from bench.effort import Effort
from bench.filling import filling
from bench.scenarios.growth import measured
from bench.scenarios.times import AUDITED_PER_S, FILLED_PER_S, INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "many wallets"


async def run(bench: Workbench) -> None:
    first = bench.effort.wallet_counts[0]
    async with bench.installation(NAME, Product(), first) as installation:
        for wallets in bench.effort.wallet_counts:
            bench.say(f"  up to {wallets} wallets")
            async with filling(installation) as filler:
                await filler.wallets(wallets)
            await measured(bench, NAME, installation, f"{wallets} wallets")


def seconds(effort: Effort) -> float:
    commands = 2 * effort.wallet_counts[-1]  # each is made and funded
    loads = len(effort.wallet_counts) * effort.rounds * point_s(effort)
    return INSTALL_S + commands / FILLED_PER_S + commands / AUDITED_PER_S + loads
