"""Rows that are held back and are others under a new guise: what it takes to say so, and that it is
remembered."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.actions import approved, asked, exception, suspended
from tests.integration.banks import Branch, banking, branch, of
from tests.integration.statement_files import HEADER, handed_in
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready, ready.bank():
        yield ready


async def day_of_first(town: Branch) -> date:
    return date.fromisoformat((await town.play.state())["rows"][0]["postingDate"])


async def remade(town: Branch) -> tuple[str, str]:
    """A deposit in suspense that has vanished, and one that is held back for it."""
    row_id = await suspended(town)
    shown = (await town.play.state())["rows"][-1]
    await town.play.change(shown["rowId"], "vanish")
    await town.play.credit(50_00, "who knows, corrected")
    await town.fetch()
    held = await exception(town, "HELD")
    assert held["otherRowId"] == row_id
    return row_id, held["rowId"]


async def test_a_row_is_not_the_same_as_any_other(town: Branch) -> None:
    beside = await suspended(town, 50_00, "somebody else")
    of_other_amount = await suspended(town, 20_00)
    vanished, held = await remade(town)
    for other, status in (
        *((beside, 409), (of_other_amount, 409)),
        *((held, 422), (str(uuid.uuid4()), 422), ("no id", 422)),
    ):
        await asked(town, held, "SAME", sameAs=other, expect=status)
    await asked(town, held, "BOOK", sameAs=vanished, expect=422)
    await asked(town, held, "SAME", (vanished, "50.00"), expect=422)
    for row_id in (beside, vanished):
        await asked(town, row_id, "SAME", sameAs=held, expect=409)
    action = await asked(town, held, "SAME", sameAs=vanished)
    assert action["sameAs"] == vanished
    # Meanwhile the vanished row is not taken back, nor is the other booked.
    await asked(town, vanished, "RETRACT", expect=409)
    await asked(town, held, "BOOK", expect=409)
    await approved(town, action)
    assert await town.suspense() == Decimal(120)
    (shown,) = (await town.running.get("/v1/bank/rows", limit=1))["items"]
    assert (shown["rowId"], shown["sameAs"], shown["status"]) == (held, vanished, "RETRACTED")


async def test_a_row_that_came_back_is_not_the_one_that_was_held_for_it(town: Branch) -> None:
    _, held = await remade(town)
    action = await asked(town, held, "SAME")
    await town.play.credit(50_00, "who knows")
    assert (await town.fetch())["new"] == 0
    assert ("VANISHED", True) in await town.exceptions()
    word = f"/v1/bank/actions/{action['actionId']}"
    assert (await town.post("approver", f"{word}/approvals", {}, 409))["code"] == "bank-conflict"
    assert (await town.post("approver", f"{word}/refusals", {}))["status"] == "REFUSED"
    await approved(town, await asked(town, held, "BOOK"))
    await town.booked(2)
    assert await town.suspense() == Decimal(100)
    await town.assert_ties()


async def test_a_line_of_a_file_that_is_a_row_is_not_held_again(town: Branch) -> None:
    await suspended(town, 10_00, "RENT FROM NAIDOO FOR MAY")
    day = await day_of_first(town) - timedelta(days=1)
    line = f"{day},rent naidoo,10.00\n"
    assert (await handed_in(town, HEADER + line))["new"] == 1
    held = await exception(town, "HELD")
    again = await handed_in(town, f"{HEADER}{line}\n")
    assert (again["status"], again["new"]) == ("DONE", 0)
    await approved(town, await asked(town, held["rowId"], "SAME"))
    again = await handed_in(town, f"{HEADER}{line}\n\n")
    assert (again["status"], again["new"], again["exceptions"]) == ("DONE", 0, 0)
    # A second one of that day and amount is a deposit: the row was found by the first.
    assert (await handed_in(town, HEADER + line + line))["new"] == 1
    await town.booked(2)
    assert await town.exceptions() == [("HELD", True)]
    assert (await town.fetch())["exceptions"] == 0
    assert await town.suspense() == Decimal(20)


async def test_the_api_takes_a_row_over_and_its_file_is_still_known(
    servers: Servers, template: str, tmp_path: Path
) -> None:
    async with branch(servers, template, tmp_path) as town:
        await town.play.credit(10_00, "RENT FROM NAIDOO FOR MAY")
        line = f"{await day_of_first(town) - timedelta(days=1)},rent naidoo,10.00\n"
        async with banking(town.database, town.broker, None, bank_accounts=town.play.account_id):
            await town.followed()
            await handed_in(town, HEADER + line)
            (first,) = await town.booked(1)
        async with town.bank():
            await town.fetch()
            held = await exception(town, "HELD")
            await approved(town, await asked(town, held["rowId"], "SAME"))
            found = await town.fetch()
            assert (found["new"], found["exceptions"], found["problem"]) == (0, 0, None)
            again = await handed_in(town, f"{HEADER}{line}\n")
            assert (again["status"], again["new"], again["exceptions"]) == ("DONE", 0, 0)
        rows = [row for row in await town.rows() if row["retracted"] is None]
        assert of(rows, "row_id", "source", "description") == [
            (first["row_id"], "API", "RENT FROM NAIDOO FOR MAY")
        ]
        assert await town.suspense() == Decimal(10)


async def test_one_row_of_a_file_holds_one_deposit_from_look_to_look(
    servers: Servers, template: str, tmp_path: Path
) -> None:
    async with branch(servers, template, tmp_path) as town:
        await town.play.credit(10_00, "RENT FROM NAIDOO FOR MAY")
        day = await day_of_first(town) - timedelta(days=1)
        async with banking(town.database, town.broker, None, bank_accounts=town.play.account_id):
            await town.followed()
            await handed_in(town, f"{HEADER}{day},rent naidoo,10.00\n")
            await town.booked(1)
        async with town.bank():
            await town.fetch()
            for count in (2, 3):
                await town.play.credit(10_00, f"another one, {count}")
                assert (await town.fetch())["new"] == 1
                await town.booked(count)
        assert await town.exceptions() == [("HELD", False)]
        assert await town.suspense() == Decimal(30)
