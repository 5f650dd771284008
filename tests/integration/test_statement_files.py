"""Statement files through the gateway and the bank process, without the bank's API."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from ledger import keys
from ledger.keys import Scope
from tests.integration.actions import approved, asked
from tests.integration.banks import Branch, banking, branch, of
from tests.integration.statement_files import COLUMNS, HEADER, handed_in
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        account = ready.play.account_id
        async with banking(ready.database, ready.broker, None, bank_accounts=account):
            await ready.followed()
            yield ready


async def test_the_same_file_twice_books_once(town: Branch) -> None:
    await town.running.wallet("alice-01")
    reference = await town.reference("alice-01")
    file = f"{HEADER}2026-11-02,{reference},10.00\n2026-11-02,{reference},10.00\n"
    first = await handed_in(town, file)
    assert (first["rows"], first["new"], first["problem"]) == (2, 2, None)
    again = await handed_in(town, file)
    assert again["statementId"] == first["statementId"]
    renamed = await handed_in(town, file + "\n")
    assert (renamed["rows"], renamed["new"]) == (2, 0)
    await town.booked(2)
    assert await town.balance("alice-01") == Decimal(20)
    await town.assert_ties()


async def test_one_person_puts_money_nowhere_by_a_file(town: Branch) -> None:
    await town.running.wallet("alice-01")
    reference = await town.reference("alice-01")
    file = f"{HEADER}2026-11-02,{reference},10.00\n"
    found = await handed_in(town, file, approve=False)
    assert (found["status"], found["new"]) == ("AWAITING_APPROVAL", 1)
    assert await town.rows() == []
    both = [Scope.BANK, Scope.APPROVER]
    owner = "whoever has bank"
    same = await keys.create(town.owner, "same", both, owner=owner)
    nobody = await keys.create(town.owner, "nobody", both)
    town.running.keys = {**town.running.keys, "same": same, "nobody": nobody}
    path = f"/v1/bank/statements/{found['statementId']}"
    for scope, code in (
        *(("same", "same-owner"), ("nobody", "same-owner")),
        *(("bank", "forbidden"), ("operator", "forbidden")),
    ):
        assert (await town.post(scope, f"{path}/approvals", {}, 403))["code"] == code
    refused = await town.post("approver", f"{path}/refusals", {"reason": "not the bank's"})
    assert refused["status"] == "REFUSED"
    assert (await town.post("approver", f"{path}/approvals", {}, 409))["code"] == "bank-conflict"
    assert await town.rows() == []
    again = await handed_in(town, file)
    assert (again["status"], again["new"]) == ("DONE", 1)
    await town.booked(1)
    assert await town.balance("alice-01") == Decimal(10)
    nothing_new = await handed_in(town, file + "\n", approve=False)
    assert (nothing_new["status"], nothing_new["new"]) == ("AWAITING_APPROVAL", 0)
    await town.assert_ties()


async def test_files_that_overlap_book_each_row_once(town: Branch) -> None:
    days = [f"2026-11-0{day},rent,{day}.00\n" for day in range(1, 8)]
    assert (await handed_in(town, HEADER + "".join(days[:4])))["new"] == 4
    assert (await handed_in(town, HEADER + "".join(days[2:])))["new"] == 3
    await town.booked(7)
    assert await town.suspense() == Decimal(28)
    assert await town.exceptions() == []
    await town.assert_ties()


async def test_a_row_that_a_later_file_does_not_have_is_told(town: Branch) -> None:
    days = [f"2026-11-0{day},rent,{day}.00\n" for day in range(1, 6)]
    await handed_in(town, HEADER + "".join(days))
    found = await handed_in(town, HEADER + days[0] + days[1] + days[4])
    assert (found["new"], found["exceptions"]) == (0, 2)
    assert await town.exceptions() == [("VANISHED", False), ("VANISHED", False)]


async def test_a_file_that_cannot_be_read_stores_nothing(town: Branch) -> None:
    found = await handed_in(town, f"{HEADER}2026-11-02,rent,10.00\n2026-11-02,rent,ten\n")
    assert found["problem"].startswith("line 3")
    assert await town.rows() == []
    refused = await handed_in(town, HEADER, expect=422, columns="{}")
    assert refused["errors"][0]["parameter"] == "columns"
    await handed_in(town, HEADER, expect=422, accountId="another")
    await handed_in(town, HEADER, expect=422, format="PDF")


async def test_the_opening_balance_is_that_of_the_first_row_that_tells_one(town: Branch) -> None:
    await handed_in(town, f"{HEADER}2026-11-02,rent,10.00\n")
    (account,) = (await town.running.get("/v1/bank/accounts"))["items"]
    assert account["openingBalance"] is None
    columns = json.dumps({**json.loads(COLUMNS), "balance": "Balance"})
    told = "Date,Details,Amount,Balance\n2026-11-05,rent,5.00,115.00\n"
    await handed_in(town, told, columns=columns)
    (account,) = (await town.running.get("/v1/bank/accounts"))["items"]
    assert account["openingBalance"] == "100.00"


async def test_a_hole_stays_told_until_it_is_filled(town: Branch) -> None:
    """Whatever lies behind it, and was looked at since."""
    columns = json.dumps({**json.loads(COLUMNS), "balance": "Balance"})
    header = f"{HEADER[:-1]},Balance\n"
    first, missing, last = (
        *("2026-11-02,rent,10.00,10.00\n", "2026-11-04,fees,5.00,15.00\n"),
        "2026-11-05,rent,7.00,22.00\n",
    )
    await handed_in(town, header + first + last, columns=columns)
    assert await town.exceptions() == [("GAP", False)]
    later = await handed_in(town, f"{header}2026-11-09,rent,1.00,23.00\n", columns=columns)
    assert later["new"] == 1
    assert await town.exceptions() == [("GAP", False)]
    await handed_in(town, header + first + missing + last, columns=columns)
    assert await town.exceptions() == [("GAP", True)]


async def test_a_file_of_which_nobody_could_look_at_everything_is_refused(town: Branch) -> None:
    columns = json.dumps({**json.loads(COLUMNS), "balance": "Balance"})
    holes = "2026-11-02,rent,1.00,5.00\n" * 1002
    found = await handed_in(town, f"{HEADER[:-1]},Balance\n{holes}", columns=columns, approve=False)
    assert found["status"] == "FAILED"
    assert "1001" in found["problem"]
    assert (await town.rows(), await town.exceptions()) == ([], [])


async def test_what_waits_for_approval_is_not_counted_twice(town: Branch) -> None:
    def stored() -> float:
        return REGISTRY.get_sample_value("sov_bank_rows_total", {"fate": "new"}) or 0

    before = stored()
    assert (await handed_in(town, f"{HEADER}2026-11-02,rent,10.00\n"))["status"] == "DONE"
    assert stored() - before == 1


async def test_a_file_says_nothing_of_days_to_come(town: Branch) -> None:
    ofx = (
        "<OFX><STMTRS><CURDEF>ZAR<BANKTRANLIST><DTSTART>20261101<DTEND>20990101"
        "<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261102<TRNAMT>250.00<NAME>RENT"
        "</STMTTRN></BANKTRANLIST></STMTRS></OFX>"
    )
    assert (await handed_in(town, ofx, format="OFX"))["new"] == 1
    ahead = await town.owner.fetchval("SELECT fetched_to - now()::date FROM bank_accounts")
    assert abs(ahead) <= 1
    assert (await handed_in(town, f"{HEADER}9999-12-31,rent,10.00\n"))["problem"]
    assert (await handed_in(town, f"{HEADER}2026-11-03,rent,10.00\n"))["new"] == 1


async def test_two_sources_that_say_another_day_book_once(
    servers: Servers, template: str, tmp_path: Path
) -> None:
    async with branch(servers, template, tmp_path) as town:
        await town.play.credit(10_00, "RENT FROM NAIDOO FOR MAY")
        day = date.fromisoformat((await town.play.state())["rows"][0]["postingDate"])
        account = town.play.account_id
        async with banking(town.database, town.broker, None, bank_accounts=account):
            await town.followed()
            await handed_in(town, f"{HEADER}{day - timedelta(days=1)},rent naidoo,10.00\n")
            await town.booked(1)
        async with town.bank():
            await town.fetch()
            (held,) = (await town.running.get("/v1/bank/exceptions"))["items"]
            assert held["kind"] == "HELD"
            await approved(town, await asked(town, held["rowId"], "SAME"))
            found = await town.fetch()
            assert (found["new"], found["exceptions"], found["problem"]) == (0, 0, None)
        rows = [row for row in await town.rows() if row["retracted"] is None]
        assert of(rows, "source", "amount_minor") == [("API", 10_00)]
        assert rows[0]["booked"] is not None
        assert await town.suspense() == Decimal(10)


async def test_the_api_after_a_file(servers: Servers, template: str, tmp_path: Path) -> None:
    """The account was followed by files; from now on the bank is asked, in words of its own."""
    async with branch(servers, template, tmp_path) as town:
        told = await town.play.credit(10_00, "RENT FROM NAIDOO FOR MAY")
        told += await town.play.credit(11_00, "ANOTHER")
        day = (await town.play.state())["rows"][0]["postingDate"]
        account = town.play.account_id
        async with banking(town.database, town.broker, None, bank_accounts=account):
            await town.followed()
            await handed_in(town, f"{HEADER}{day},rent naidoo,10.00\n")
            await town.booked(1)
        async with town.bank():
            rows = await town.booked(2)
            assert (await town.fetch())["new"] == 0
        assert of(rows, "source", "amount_minor") == [("API", 10_00), ("API", 11_00)]
        assert rows[0]["posted_order"] is not None
        assert await town.exceptions() == []
        for row_id in told:
            await town.play.change(row_id, "renumber")
        async with town.bank():
            assert (await town.fetch())["problem"] is None
        numbers = of(await town.rows(), "posted_order")
        assert set(numbers).isdisjoint(of(rows, "posted_order"))
        assert await town.exceptions() == [("MOVED", False)] * 2
        await town.assert_ties()
