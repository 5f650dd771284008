"""What an account held before its first row, in whichever order its rows come and go."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.integration.actions import approved, asked, exception
from tests.integration.banks import Branch, banking, branch
from tests.integration.comparisons import reconciling
from tests.integration.statement_files import COLUMNS, HEADER, handed_in
from tests.integration.tie_outs import reconciled, three_rows
from tests.servers import Servers

BALANCED = json.dumps({**json.loads(COLUMNS), "balance": "Balance"})
FEBRUARY = ("2026-02-10,rent,10.00,110.00", "2026-02-20,rent,20.00,130.00")
BETWEEN = ("2026-02-25,fee,-5.00,125.00",)
MARCH = ("2026-03-02,rent,30.00,155.00", "2026-03-09,rent,1.00,156.00")


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with (
        branch(servers, template, tmp_path) as ready,
        reconciling(ready.database, ready.broker.url),
    ):
        yield ready


@pytest.fixture
async def files(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        account = ready.play.account_id
        async with banking(ready.database, ready.broker, None, bank_accounts=account):
            await ready.followed()
            yield ready


async def told(town: Branch, *lines: str) -> Any:
    """A file that tells balances, approved."""
    body = "".join(f"{line}\n" for line in (f"{HEADER[:-1]},Balance", *lines))
    return await handed_in(town, body, columns=BALANCED)


async def opened(town: Branch) -> str | None:
    (account,) = (await town.running.get("/v1/bank/accounts"))["items"]
    opening: str | None = account["openingBalance"]
    return opening


@pytest.mark.parametrize(
    ("months", "openings", "exceptions"),
    [
        ((FEBRUARY, BETWEEN, MARCH), ["100.00", "100.00", "100.00"], []),
        ((MARCH, BETWEEN, FEBRUARY), ["125.00", "130.00", "100.00"], []),
        ((MARCH, FEBRUARY, BETWEEN), ["125.00", "100.00", "100.00"], [("GAP", True)]),
    ],
)
async def test_files_may_come_in_any_order(
    files: Branch,
    months: Sequence[Sequence[str]],
    openings: Sequence[str],
    exceptions: Sequence[tuple[str, bool]],
) -> None:
    for month, opening in zip(months, openings, strict=True):
        assert (await told(files, *month))["new"] == len(month)
        assert await opened(files) == opening
    assert await files.exceptions() == exceptions
    await files.booked(5)
    await files.assert_ties()


async def test_what_is_missing_between_two_files_is_told(files: Branch) -> None:
    await told(files, *MARCH)
    await told(files, *FEBRUARY)
    assert await opened(files) == "100.00"
    gap = await exception(files, "GAP")
    assert "-5.00 off" in gap["detail"]


async def test_rows_before_the_first_that_tells_a_balance_count(files: Branch) -> None:
    await told(files, "2026-11-05,rent,5.00,115.00")
    assert await opened(files) == "110.00"
    await handed_in(files, f"{HEADER}2026-11-02,rent,10.00\n")
    assert await opened(files) == "100.00"
    assert await files.exceptions() == []


async def test_another_balance_of_the_first_row_is_told_and_changes_nothing(files: Branch) -> None:
    """Perhaps a row before it is missing: it must not become money that was held before."""
    first, second = "2026-11-05,rent,5.00", "2026-11-06,rent,1.00"
    await told(files, f"{first},115.00")
    await told(files, f"{first},120.00", f"{second},121.00")
    assert await opened(files) == "110.00"
    assert await files.exceptions() == [("GAP", False)]
    assert "115.00 was held before" in (await exception(files, "GAP"))["detail"]
    await told(files, f"{first},115.00", f"{second},116.00")
    assert await opened(files) == "110.00"
    assert await files.exceptions() == [("GAP", True)]


@pytest.mark.parametrize(
    ("balances", "differences"), [("as-posted", {"BALANCE": 1}), ("recomputed", {})]
)
async def test_a_first_row_that_vanished_is_no_money_held_before(
    town: Branch, balances: str, differences: dict[str, int]
) -> None:
    """Taken back by two people; but later balances may still count it."""
    await town.play.assume(running_balance=balances)
    first, *_ = await three_rows(town)
    async with town.bank():
        await town.booked(3)
        assert await opened(town) == "0.00"
        await town.play.change(first, "vanish")
        await town.fetch()
        assert await opened(town) == "0.00"
        (gone,) = [row for row in await town.rows() if row["vanished"] is not None]
        await approved(town, await asked(town, str(gone["row_id"]), "RETRACT"))
        assert await opened(town) == "0.00"
        report = await reconciled(town)
    assert (report["differences"], report["agrees"]) == (differences, not differences)


@pytest.mark.parametrize(
    ("kind", "opening", "booked"), [("SAME", "0.00", 2), ("BOOK", "-10.00", 3)]
)
async def test_a_first_row_that_is_held_is_one_or_two(
    town: Branch, kind: str, opening: str, booked: int
) -> None:
    await town.play.credit(10_00, "RENT FROM NAIDOO FOR MAY")
    await town.play.credit(5_00, "another")
    day = date.fromisoformat((await town.play.state())["rows"][0]["postingDate"])
    account = town.play.account_id
    async with banking(town.database, town.broker, None, bank_accounts=account):
        await town.followed()
        await handed_in(town, f"{HEADER}{day - timedelta(days=1)},rent naidoo,10.00\n")
        assert await opened(town) is None
        await town.booked(1)
    async with town.bank():
        await town.booked(2)
        assert await opened(town) == "-10.00"
        held = await exception(town, "HELD")
        await approved(town, await asked(town, held["rowId"], kind))
        await town.booked(booked)
        assert await opened(town) == opening
        report = await reconciled(town)
    assert (report["agrees"], report["found"]) == (True, [])
