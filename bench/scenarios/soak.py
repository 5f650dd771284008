"""So many commands in a row, and what the processes' memory does meanwhile."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from bench.effort import Effort
from bench.results import Memory
from bench.running import Running, running
from bench.scenarios.times import ANSWERED_PER_S, AUDITED_PER_S, INSTALL_S, START_S
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "soak"
#: Load in pieces, so that the commands can be counted; a breath between them changes nothing.
_PIECES: Final = 25
_SAMPLE_EVERY_S: Final = 2.0


async def run(bench: Workbench) -> None:
    wanted = bench.effort.soak_commands
    async with (
        bench.installation(NAME, Product()) as installation,
        running(Product(), installation) as system,
    ):
        await bench.warm_up(system)
        started_s = time.monotonic()
        sampling = asyncio.create_task(_sample(bench, system, started_s))
        try:
            done, piece = 0, 0
            piece_s = max(1.0, wanted / ANSWERED_PER_S / _PIECES)
            while done < wanted:
                piece += 1
                load = await bench.measure(
                    NAME, system, case="piece", seconds=piece_s, round_=piece
                )
                if not load.answers:
                    raise RuntimeError("nothing is answered any more")
                done += load.answers
        finally:
            sampling.cancel()
            await asyncio.wait({sampling})
        await _note(bench, system, started_s)


async def _sample(bench: Workbench, system: Running, started_s: float) -> None:
    while True:
        await _note(bench, system, started_s)
        await asyncio.sleep(_SAMPLE_EVERY_S)


async def _note(bench: Workbench, system: Running, started_s: float) -> None:
    resident, proportional = await asyncio.to_thread(system.memory)
    commands = sum((await system.statuses()).values())
    bench.results.memory.append(
        Memory(time.monotonic() - started_s, commands, resident, proportional)
    )


def seconds(effort: Effort) -> float:
    commands = effort.soak_commands
    return INSTALL_S + START_S + commands / ANSWERED_PER_S + commands / AUDITED_PER_S
