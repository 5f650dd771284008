"""Statement files of which something is wrong: what one of them says stops nothing else, and proves
nothing before somebody else has agreed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bank.investec.records import SAST
from tests.integration.banks import Branch, banking, branch
from tests.integration.statement_files import HEADER, handed_in
from tests.polling import eventually
from tests.servers import Servers

ANOTHER = "another"
RENT = f"{HEADER}2026-11-02,rent,10.00\n"
STUCK = """
CREATE FUNCTION stuck() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'this one not'; END $$;
CREATE TRIGGER stuck BEFORE UPDATE ON bank_statements
    FOR EACH ROW WHEN (NEW.account_id = 'another') EXECUTE FUNCTION stuck();
"""


@pytest.fixture
async def two(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    """The accounts of two banks without an API."""
    async with branch(servers, template, tmp_path) as ready:
        accounts = f"{ready.play.account_id},{ANOTHER}"
        async with banking(ready.database, ready.broker, None, bank_accounts=accounts):

            async def both() -> bool:
                return len((await ready.running.get("/v1/bank/accounts"))["items"]) == 2

            await eventually(both)
            yield ready


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("OFX", "<OFX><STMTRS><CURDEF>Z\0R<BANKTRANLIST></BANKTRANLIST></STMTRS></OFX>"),
        ("OFX", "<OFX><STMTRS><CURDEF>ZAR<ACCTID>12345\x0067</STMTRS></OFX>"),
        ("MT940", ":25:12345\x0067\n:60F:C261101ZAR1,00\n:62F:C261101ZAR1,00\n"),
    ],
)
async def test_a_problem_that_no_database_keeps_is_told_all_the_same(
    two: Branch, format_: str, body: str
) -> None:
    found = await handed_in(two, body, format=format_)
    assert found["status"] == "FAILED"
    assert "\0" not in found["problem"]
    assert (await handed_in(two, RENT))["new"] == 1


async def test_a_file_that_cannot_be_ended_stops_no_other_account(two: Branch) -> None:
    await two.owner.execute(STUCK)
    stuck = await two.http.post(
        "/v1/bank/statements",
        params={"accountId": ANOTHER, "format": "MT940"},
        content=b"no statement",
        headers={**two.running.key("bank"), "Content-Type": "application/octet-stream"},
    )
    path = f"/v1/bank/statements/{stuck.json()['statementId']}"
    assert (await handed_in(two, RENT))["new"] == 1
    assert (await two.running.get(path))["finished"] is None
    await two.owner.execute("DROP TRIGGER stuck ON bank_statements")

    async def ended() -> Any:
        found = await two.running.get(path)
        return found if found["finished"] else None

    assert (await eventually(ended, 30))["status"] == "FAILED"


async def test_one_person_proves_no_day_by_a_file(two: Branch) -> None:
    """It has no entries, so that nothing of it would be new."""
    day = datetime.now(SAST).date() - timedelta(days=1)
    body = f":60F:C{day:%y%m%d}ZAR99,00\n:62F:C{day:%y%m%d}ZAR99,00\n"
    found = await handed_in(two, body, approve=False, format="MT940")
    assert (found["status"], found["new"], found["exceptions"]) == ("AWAITING_APPROVAL", 0, 0)
    fetched = "SELECT fetched_to FROM bank_accounts WHERE account_id = $1"
    assert await two.owner.fetchval(fetched, two.play.account_id) is None
    await two.post("approver", f"/v1/bank/statements/{found['statementId']}/approvals", {})
    found = await handed_in(two, body, format="MT940")
    assert found["status"] == "DONE"
    assert await two.owner.fetchval(fetched, two.play.account_id) is not None
