"""Transfers between uniformly chosen wallets, from one caller to hundreds: all three systems."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import Final

from bench import tuning
from bench.effort import Effort
from bench.scenarios.times import INSTALL_S, START_S, point_s
from bench.systems import Product, System
from bench.workbench import Workbench

NAME: Final = "closed loop"


async def run(bench: Workbench) -> None:
    """Round by round, each system in turn: what drifts meanwhile meets all of them."""
    systems: list[System] = [Product(), await tuning.direct(bench), await tuning.single(bench)]
    async with AsyncExitStack() as stack:
        books = {
            system.name: await stack.enter_async_context(bench.installation(NAME, system))
            for system in systems
        }
        for round_ in range(1, bench.effort.rounds + 1):
            bench.say(f"  round {round_} of {bench.effort.rounds}")
            for connections in bench.effort.connections:
                # Who comes first changes, so that nobody always follows the same neighbour.
                systems = [*systems[1:], systems[0]]
                for system in systems:
                    await bench.point(
                        NAME, system, books[system.name], connections=connections, round_=round_
                    )


def seconds(effort: Effort) -> float:
    setups = len(tuning.workers()) * len(effort.direct_connections) + len(effort.single_consumers)
    tuned = setups * (START_S + effort.warm_up_s + effort.tuning_s)
    return 5 * INSTALL_S + tuned + 3 * effort.rounds * len(effort.connections) * point_s(effort)
