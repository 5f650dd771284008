"""What a subscriber to all events costs those who pay: beside nobody who subscribes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

from bench.effort import Effort
from bench.installation import Installation
from bench.scenarios.times import INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench
from topology import connections, names

NAME: Final = "subscribers"
NOBODY: Final = "nobody subscribes"
EVERYTHING: Final = "one, to everything"


async def run(bench: Workbench) -> None:
    async with bench.installation(NAME, Product()) as installation:
        for round_ in range(1, bench.effort.rounds + 1):
            for case in (NOBODY, EVERYTHING):
                async with AsyncExitStack() as stack:
                    if case == EVERYTHING:
                        await stack.enter_async_context(_subscribed(installation))
                    await bench.point(NAME, Product(), installation, case=case, round_=round_)


def seconds(effort: Effort) -> float:
    return INSTALL_S + 2 * effort.rounds * point_s(effort)


@asynccontextmanager
async def _subscribed(installation: Installation) -> AsyncIterator[None]:
    """A durable queue that gets every event and keeps the last thousand: whoever reads it elsewhere
    costs this machine nothing."""
    connection = await connections.connect(installation.access.administrator, "bench subscriber")
    try:
        channel = await connections.plain_channel(connection)
        arguments: dict[str, Any] = {"x-max-length": 1000, "x-overflow": "drop-head"}
        queue = await channel.declare_queue("bench.subscriber", durable=True, arguments=arguments)
        await queue.bind(names.EVENTS_EXCHANGE, "#")
        yield
        await queue.delete(if_unused=False, if_empty=False)
    finally:
        await connections.close(connection)
