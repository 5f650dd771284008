"""What a second person is shown of a statement file, and whose statement it says that it is."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway import bank_schemas as schemas
from tests.integration.banks import Branch, banking, branch
from tests.integration.statement_files import HEADER, handed_in
from tests.servers import Servers

NUMBER = "62001234567"
FILE = (
    b":20:X\r\n:25:250655/62001234567\r\n:60F:C261101ZAR100,00\r\n"
    b":61:2611021102C250,00NTRFNONREF\r\n:86:rent\r\n"
    b":61:2611031103C30,00NTRFNONREF\r\n:86:rent\r\n"
    b":61:2611031103D20,50NCHGNONREF\r\n:86:FEE\r\n"
    b":62F:C261103ZAR359,50\r\n-\r\n"
)


@pytest.fixture
async def empty(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    """Without the bank process."""
    async with branch(servers, template, tmp_path) as ready:
        yield ready


@pytest.fixture
async def town(empty: Branch) -> AsyncIterator[Branch]:
    account = f"{empty.play.account_id}={NUMBER}"
    async with banking(empty.database, empty.broker, None, bank_accounts=account):
        await empty.followed()
        yield empty


async def asked(town: Branch, path: str, expect: int = 200, **query: Any) -> Any:
    """With the key of whoever has to agree."""
    answer = await town.http.get(path, params=query, headers=town.running.key("approver"))
    assert answer.status_code == expect, answer.text
    return answer


async def test_whoever_agrees_sees_to_what(town: Branch) -> None:
    await handed_in(town, f"{HEADER}2026-11-03,rent,30.00\n")
    found = await handed_in(town, FILE, approve=False, format="MT940")
    said = {
        "status": "AWAITING_APPROVAL",
        "sha256": hashlib.sha256(FILE).hexdigest(),
        "uploadedOwner": "whoever has bank",
        "namedAccount": f"250655/{NUMBER}",
        "accountConfirmed": True,
        "firstEntry": "2026-11-02",
        "lastEntry": "2026-11-03",
        "firstDay": "2026-11-02",
        "lastDay": "2026-11-03",
        "openingBalance": "100.00",
        "closingBalance": "359.50",
        "credits": {"count": 2, "amount": "280.00"},
        "debits": {"count": 1, "amount": "20.50"},
        "newCredits": {"count": 1, "amount": "250.00"},
        "newDebits": {"count": 1, "amount": "20.50"},
    }
    assert {name: found[name] for name in said} == said
    path = f"/v1/bank/statements/{found['statementId']}"
    file = await asked(town, f"{path}/file")
    assert (file.content, file.headers["content-type"]) == (FILE, "application/octet-stream")
    assert file.headers["content-disposition"].endswith('.sta"')
    await town.post("approver", f"{path}/approvals", {"reason": "as the bank's own page has it"})
    await town.booked(3)
    ended = (await asked(town, path)).json()
    assert (ended["status"], ended["newCredits"]) == ("DONE", said["newCredits"])
    again = await handed_in(town, FILE, format="MT940")
    assert (again["statementId"], again["uploaded"]) == (found["statementId"], found["uploaded"])
    assert again["handedInAgain"] > again["uploaded"]
    unknown = "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"
    for nothing in (unknown, f"{unknown}/file", "x/file"):
        answer = await asked(town, f"/v1/bank/statements/{nothing}", 404)
        assert answer.json()["code"] == "bank-not-found"


async def test_files_are_listed_the_latest_first(town: Branch) -> None:
    path = "/v1/bank/statements"
    ids = []
    for day in (2, 3, 4):
        file = f"{HEADER}2026-11-0{day},rent,{day}.00\n"
        ids.append((await handed_in(town, file, approve=day == 3))["statementId"])
    page = (await asked(town, path)).json()
    schemas.StatementPage.model_validate(page)
    assert [each["statementId"] for each in page["items"]] == ids[::-1]
    first = (await asked(town, path, limit=2)).json()
    rest = (await asked(town, path, limit=2, cursor=first["nextCursor"])).json()
    assert [each["statementId"] for each in (*first["items"], *rest["items"])] == ids[::-1]
    assert rest["nextCursor"] is None
    waiting = (await asked(town, path, status="AWAITING_APPROVAL")).json()["items"]
    assert [each["statementId"] for each in waiting] == [ids[2], ids[0]]
    account = town.play.account_id
    assert len((await asked(town, path, accountId=account, status="DONE")).json()["items"]) == 1
    assert (await asked(town, path, accountId="another")).json()["items"] == []
    await asked(town, path, 422, status="LOST")
    await asked(town, path, 422, cursor=first["nextCursor"], status="DONE")


async def test_a_file_of_another_account_is_refused(town: Branch) -> None:
    other = FILE.replace(NUMBER.encode(), b"62007654321")
    found = await handed_in(town, other, format="MT940")
    assert (found["status"], found["credits"]) == ("FAILED", None)
    assert "was handed in for another" in found["problem"]
    masked = FILE.replace(f"250655/{NUMBER}".encode(), b"*******4567")
    assert (await handed_in(town, masked, approve=False, format="MT940"))["accountConfirmed"]


async def test_where_no_number_is_known_people_are_told_whose_it_says_it_is(
    empty: Branch,
) -> None:
    async with banking(empty.database, empty.broker, None, bank_accounts="main"):
        await empty.followed()
        found = await handed_in(empty, FILE, approve=False, format="MT940", accountId="main")
    assert (found["status"], found["accountConfirmed"]) == ("AWAITING_APPROVAL", False)
    assert found["namedAccount"] == f"250655/{NUMBER}"
