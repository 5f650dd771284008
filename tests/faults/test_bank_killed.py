"""The bank process is killed between any two steps: every cent is in exactly one place."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.faults.bank_process import Moment, reached, running, stopping_at
from tests.integration.actions import asked, exceptions_of
from tests.integration.banks import Branch, branch
from tests.polling import eventually
from tests.servers import Servers

STORING = [
    Moment("bank_accounts", "INSERT"),
    Moment("bank_rows", "INSERT"),
    Moment("bank_accounts", "UPDATE", "NEW.fetched IS NOT NULL"),
    Moment("bank_fetches", "UPDATE", "NEW.finished IS NOT NULL"),
]
BOOKING = [
    Moment("bank_rows", "UPDATE", "OLD.decided IS NULL AND NEW.decided IS NOT NULL"),
    Moment("bank_rows", "UPDATE", "OLD.booked IS NULL AND NEW.booked IS NOT NULL"),
]
ACTING = [
    Moment("bank_actions", "UPDATE", "NEW.send_until IS NOT NULL AND NEW.status = 'APPROVED'"),
    Moment("bank_actions", "UPDATE", "NEW.status = 'DONE'"),
]


JOINING = [
    Moment("bank_rows", "UPDATE", "OLD.same_as IS NULL AND NEW.same_as IS NOT NULL"),
    Moment("bank_rows", "UPDATE", "OLD.vanished IS NOT NULL AND NEW.vanished IS NULL"),
]


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        await ready.running.wallet("alice-01")
        yield ready


async def deposits(town: Branch) -> None:
    await town.play.credit(10_00, await town.reference("alice-01"), times=3)
    await town.play.credit(50_00, "who knows")
    await town.play.credit(2_00, "MONTHLY FEE", type="DEBIT")


async def assert_all_are_booked_once(town: Branch) -> None:
    await town.booked(5, within_s=60)
    assert await town.balance("alice-01") == Decimal(30)
    assert (await town.suspense(), await town.charges()) == (Decimal(50), Decimal(-2))
    await town.assert_ties()


@pytest.mark.parametrize("moment", [*STORING, *BOOKING], ids=str)
async def test_killed_on_the_way_of_a_deposit(town: Branch, tmp_path: Path, moment: Moment) -> None:
    await deposits(town)
    async with stopping_at(town.owner, moment), running(town, tmp_path):
        await reached(town.owner)
    async with running(town, tmp_path):
        await assert_all_are_booked_once(town)


@pytest.mark.parametrize("moment", ACTING, ids=str)
async def test_killed_on_the_way_of_an_allocation(
    town: Branch, tmp_path: Path, moment: Moment
) -> None:
    await deposits(town)
    async with running(town, tmp_path):
        rows = await town.booked(5, within_s=60)
    (row,) = [row for row in rows if row["purpose"] == "NOTHING_FOUND"]
    alice = (await town.running.get("/v1/wallets", externalUniqueId="alice-01"))["items"][0]
    action = await town.post(
        "bank",
        f"/v1/suspense/{row['row_id']}/actions",
        {
            "kind": "ALLOCATE",
            "reason": "proof of payment",
            "shares": [
                {"walletId": alice["walletId"], "amount": "20"},
                {"walletId": alice["walletId"], "amount": "30"},
            ],
        },
    )
    path = f"/v1/bank/actions/{action['actionId']}"
    await town.post("approver", f"{path}/approvals", {})
    async with stopping_at(town.owner, moment), running(town, tmp_path):
        await reached(town.owner)
    async with running(town, tmp_path):

        async def done() -> bool:
            return bool((await town.running.get(path))["status"] == "DONE")

        await eventually(done, 60)
    assert (await town.balance("alice-01"), await town.suspense()) == (Decimal(80), Decimal(0))
    await town.assert_ties()


@pytest.mark.parametrize("moment", JOINING, ids=str)
async def test_killed_while_a_held_row_becomes_another(
    town: Branch, tmp_path: Path, moment: Moment
) -> None:
    (shown,) = await town.play.credit(50_00, "who knows")
    async with running(town, tmp_path):
        (first,) = await town.booked(1, within_s=60)
        await town.play.change(shown, "vanish")
        await town.play.credit(50_00, "who knows, corrected")
        (held,) = await eventually(lambda: exceptions_of(town, "HELD"), 60)
    action = await asked(town, held["rowId"], "SAME")
    path = f"/v1/bank/actions/{action['actionId']}"
    await town.post("approver", f"{path}/approvals", {})
    async with stopping_at(town.owner, moment), running(town, tmp_path):
        await reached(town.owner)
    assert (await town.running.get(path))["status"] == "APPROVED"
    async with running(town, tmp_path):

        async def done() -> bool:
            return bool((await town.running.get(path))["status"] == "DONE")

        await eventually(done, 60)
    (row,) = [row for row in await town.rows() if row["retracted"] is None]
    assert (row["row_id"], row["description"]) == (first["row_id"], "who knows, corrected")
    assert all(resolved for _, resolved in await town.exceptions())
    assert await town.suspense() == Decimal(50)


async def test_a_second_process_stands_by_and_takes_over(town: Branch, tmp_path: Path) -> None:
    await deposits(town)
    async with running(town, tmp_path):
        async with running(town, tmp_path):
            await town.booked(5, within_s=60)
        await town.play.credit(7_00, "later")
        await town.booked(6, within_s=60)
    await town.assert_ties()
