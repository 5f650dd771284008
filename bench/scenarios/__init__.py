"""What is measured: a module per question, with its name, its run and about how long it takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

from bench.effort import Effort
from bench.scenarios import (
    bulk,
    closed_loop,
    due_diligence,
    growth,
    hot_wallets,
    limit,
    live_beside_bulk,
    many_wallets,
    reads_under_load,
    reconciling,
    sessions,
    soak,
    subscribers,
    two_consumers,
    tying_out,
)
from bench.workbench import Workbench


class Scenario(NamedTuple):
    """``seconds``: about how long it takes."""

    run: Callable[[Workbench], Awaitable[None]]
    seconds: Callable[[Effort], float]


#: In the order in which they run.
SCENARIOS: Final = {
    module.NAME: Scenario(module.run, module.seconds)
    for module in (
        closed_loop,
        hot_wallets,
        sessions,
        reads_under_load,
        two_consumers,
        subscribers,
        limit,
        bulk,
        live_beside_bulk,
        reconciling,
        tying_out,
        due_diligence,
        growth,
        many_wallets,
        soak,
    )
}
