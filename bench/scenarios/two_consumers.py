"""Two consumer processes that meet on one SYSTEM wallet in every transfer, beside one process."""

from __future__ import annotations

from typing import Final

from bench.effort import Effort
from bench.scenarios.times import INSTALL_S, point_s
from bench.systems import Product
from bench.workbench import Workbench

NAME: Final = "two consumers"
COUNTS: Final = (1, 2)


def case(consumers: int) -> str:
    return f"{consumers} consumers"


async def run(bench: Workbench) -> None:
    """Every transfer credits the SYSTEM wallet: the debits spread over all partitions, so both
    processes work, and both need its row."""
    async with bench.installation(NAME, Product()) as installation:
        wallets = (installation.system, *installation.wallets)
        for round_ in range(1, bench.effort.rounds + 1):
            for consumers in COUNTS:
                await bench.point(
                    NAME,
                    Product(consumers),
                    installation,
                    kind="credit-one",
                    case=case(consumers),
                    wallets=wallets,
                    round_=round_,
                )


def seconds(effort: Effort) -> float:
    return INSTALL_S + len(COUNTS) * effort.rounds * point_s(effort)
