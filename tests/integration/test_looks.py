"""Looking at statements again: rows that come back, accounts that fail, and how far it went."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bank.investec.records import SAST
from tests.integration.actions import approved, asked, suspended
from tests.integration.banks import Branch, banking, branch
from tests.integration.statement_files import HEADER, handed_in
from tests.polling import eventually
from tests.servers import Servers

OTHER = "100000000000000000000001"
_REFUSE = """
    CREATE FUNCTION sov.refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'no room for it'; END $$
"""


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        yield ready


async def vanished(town: Branch) -> str:
    """A deposit in suspense that the bank shows no more."""
    row_id = await suspended(town)
    (shown,) = (await town.play.state())["rows"]
    await town.play.change(shown["rowId"], "vanish")
    await town.fetch()
    assert await town.exceptions() == [("VANISHED", False)]
    return row_id


async def test_a_row_that_the_bank_shows_again_is_back(town: Branch) -> None:
    async with town.bank():
        await vanished(town)
        await town.play.credit(50_00, "who knows")
        assert (await town.fetch())["new"] == 0
        (row,) = await town.rows()
        assert row["vanished"] is None
        # It has another number than before.
        assert sorted(await town.exceptions()) == [("MOVED", False), ("VANISHED", True)]
        assert (await town.running.get("/v1/suspense"))["items"][0]["vanished"] is None
        assert (await town.fetch())["exceptions"] == 0
    assert await town.suspense() == Decimal(50)
    await town.assert_ties()


async def test_a_row_that_only_a_file_shows_again_waits_for_people(town: Branch) -> None:
    async with town.bank():
        row_id = await vanished(town)
        day = (await town.rows())[0]["posting_date"]
        found = await handed_in(town, f"{HEADER}{day},who knows,50.00\n", approve=False)
        assert (found["status"], found["new"], found["exceptions"]) == ("AWAITING_APPROVAL", 1, 1)
        assert (await town.rows())[0]["vanished"] is not None
        await town.post("approver", f"/v1/bank/statements/{found['statementId']}/approvals", {})
        held = await eventually(lambda: held_for(town, row_id), 30)
        assert await town.exceptions() == [("VANISHED", False), ("HELD", False)]
        await approved(town, await asked(town, held["rowId"], "SAME"))
        back, dropped = await town.rows()
        assert (back["vanished"], back["source"]) == (None, "CSV")
        assert (dropped["same_as"], dropped["booked"]) == (back["row_id"], None)
        assert await town.exceptions() == [("VANISHED", True), ("HELD", True)]
        # The bank shows it no more than before; but it is the file's row now.
        assert (await town.fetch())["exceptions"] == 0
    assert await town.suspense() == Decimal(50)


async def held_for(town: Branch, row_id: str) -> Any:
    found = (await town.running.get("/v1/bank/exceptions"))["items"]
    return next((each for each in found if each["otherRowId"] == row_id), None)


async def looked_at(town: Branch, account_id: str) -> Mapping[str, Any]:
    """What came of a look at this account."""
    asked_for = await town.post("bank", "/v1/bank/fetches", {"accountId": account_id})
    path = f"/v1/bank/fetches/{asked_for['fetchId']}"

    async def finished() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = await town.running.get(path)
        return found if found["finished"] else None

    found = await eventually(finished, 30)
    assert found is not None
    return found


async def test_an_account_that_cannot_be_stored_stops_no_other(town: Branch) -> None:
    """It is looked at first."""
    await town.play.post("accounts", {"accountId": OTHER})
    await town.play.credit(10_00, "of the one that fails", accountId=OTHER)
    await town.play.credit(20_00, "of the other")
    await town.owner.execute(_REFUSE)
    await town.owner.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON sov.bank_rows FOR EACH ROW"
        f" WHEN (NEW.account_id = '{OTHER}') EXECUTE FUNCTION sov.refuse()"
    )
    async with town.bank() as bank:
        (row,) = await town.booked(1)
        assert row["account_id"] == town.play.account_id
        failed = await looked_at(town, OTHER)
        assert "no room for it" in failed["problem"]
        await town.play.credit(30_00, "of the other, later")
        assert (await looked_at(town, town.play.account_id))["problem"] is None
        await town.booked(2)
        assert "feed" not in bank.report()["problems"]
        await town.owner.execute("DROP TRIGGER refuse ON sov.bank_rows")
        assert (await looked_at(town, OTHER))["new"] == 1
        await town.booked(3)


async def test_how_far_an_account_was_looked_at(town: Branch) -> None:
    """Files say so only until the API has: what they said may have holes, so that the first look
    through the API begins where the account does."""
    account, today = town.play.account_id, datetime.now(SAST).date()
    tenth, fifth = today - timedelta(days=10), today - timedelta(days=5)
    async with banking(town.database, town.broker, None, bank_accounts=account):
        await town.followed()
        assert await how_far(town) == (None, False)
        for line, to in ((f"{tenth},rent,1.00", tenth), (f"{fifth},rent,2.00", fifth)):
            await handed_in(town, f"{HEADER}{line}\n")
            assert await how_far(town) == (to, False)
        await handed_in(town, f"{HEADER}{tenth - timedelta(days=9)},rent,3.00\n")
        assert await how_far(town) == (fifth, False)
    async with town.bank():

        async def by_api() -> bool:
            return (await how_far(town))[1]

        await eventually(by_api, 30)
        reached, _ = await how_far(town)
        assert reached is not None
        assert today <= reached <= datetime.now(SAST).date()
        assert (await town.fetch())["firstDay"] == str(reached - timedelta(days=7))
        await handed_in(town, f"{HEADER}{fifth},rent,4.00\n")
        assert await how_far(town) == (reached, True)
    first = await town.owner.fetchval(
        "SELECT first_day FROM bank_fetches ORDER BY requested LIMIT 1"
    )
    assert first == date(2020, 1, 1)


async def how_far(town: Branch) -> tuple[date | None, bool]:
    """To which day, and whether the API has said so."""
    (found,) = await town.owner.fetch("SELECT fetched_to, by_api FROM bank_accounts")
    return found["fetched_to"], found["by_api"]
