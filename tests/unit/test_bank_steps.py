"""Steps that run again and again, and what an action asks the ledger for."""

from __future__ import annotations

import asyncio
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from bank.acting import group_of
from bank.actions import Share, detail_of, shares_of
from bank.steps import Step, Steps
from ledger.commands import WalletRef
from tests.polling import until
from topology.errors import Unavailable
from topology.process import end

CONTROL, SUSPENSE, ALICE, BOB = (UUID(int=n) for n in range(1, 5))
SHARES = [Share(ALICE, 30_00), Share(BOB, 20_01)]


async def test_a_step_runs_when_it_is_woken_and_again_after_it_failed() -> None:
    runs: list[str] = []

    async def often() -> None:
        runs.append("often")
        if len(runs) == 1:
            raise Unavailable("not yet")

    async def never() -> None:
        await asyncio.Event().wait()

    steps = Steps([Step("often", 3600, often), Step("never", 3600, never)])
    running = asyncio.ensure_future(steps.run())
    try:
        await until(lambda: steps.problems)
        assert steps.problems == {"often": "Unavailable: not yet"}
        await until(lambda: len(runs) == 2)
        await until(lambda: not steps.problems)
        steps.wake("nobody")
        steps.wake("often")
        await until(lambda: len(runs) == 3)
    finally:
        await end([running])


async def test_a_defect_ends_the_process() -> None:
    async def broken() -> None:
        raise TypeError("a defect")

    with pytest.raises(TypeError):
        await Steps([Step("broken", 1, broken)]).run()


def action(kind: str, *, credit: bool = True) -> dict[str, Any]:
    return {
        "action_id": UUID(int=9),
        "row_id": UUID(int=8),
        "kind": kind,
        "credit": credit,
        "currency": "ZAR",
        "description": "who knows",
        "detail": detail_of(SHARES),
        "control_wallet": CONTROL,
        "suspense_wallet": SUSPENSE,
    }


def test_shares_are_kept_as_they_are() -> None:
    assert shares_of(detail_of(SHARES)) == SHARES


@pytest.mark.parametrize(
    ("kind", "credit", "movements"),
    [
        ("ALLOCATE", True, [(SUSPENSE, ALICE), (SUSPENSE, BOB)]),
        ("WRITE_OFF", True, [(SUSPENSE, ALICE), (SUSPENSE, BOB)]),
        ("RETRACT", True, [(ALICE, CONTROL), (BOB, CONTROL)]),
        ("RETRACT", False, [(CONTROL, ALICE), (CONTROL, BOB)]),
    ],
)
def test_an_action_asks_for_the_same_transfers_every_time(
    kind: str, credit: bool, movements: list[tuple[UUID, UUID]]
) -> None:
    group = group_of(action(kind, credit=credit))
    assert group == group_of(action(kind, credit=credit))
    assert [(t.from_wallet, t.to_wallet) for t in group.transfers] == [
        (WalletRef(source), WalletRef(target)) for source, target in movements
    ]
    assert [t.amount for t in group.transfers] == [Decimal("30.00"), Decimal("20.01")]
    name = f"bank-action:{UUID(int=9)}"
    assert [t.external_unique_id for t in group.transfers] == [f"{name}:1", f"{name}:2"]
