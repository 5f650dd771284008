"""When the bank is reconciled: once the statement is there, once a day, and never for nobody."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bank.investec.records import SAST
from tests.integration.banks import Branch, branch
from tests.integration.comparisons import reconciling
from tests.integration.tie_outs import (
    LONG_AGO,
    amounts,
    comparisons_of,
    reconciled,
    three_rows,
)
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with (
        branch(servers, template, tmp_path) as ready,
        reconciling(ready.database, ready.broker.url),
    ):
        yield ready


async def test_a_period_waits_for_its_statement(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
    compared = comparisons_of(town)
    until = await compared.now()
    asked = await compared.ask(
        kind="BANK",
        reconciliationId="waits",
        periodFrom=LONG_AGO,
        periodTo=until.isoformat(),
        accountId=town.play.account_id,
    )
    assert asked["accountId"] == town.play.account_id

    async def waits() -> bool:
        found = await compared.status("waits")
        return found["status"] == "QUEUED" and "has to be fetched" in (found["reason"] or "")

    await eventually(waits)
    assert await compared.differences("waits") == []
    async with town.bank():
        # It asks for the statement itself: nobody has to wait for the next poll.
        assert (await compared.ended("waits"))["agrees"]
    fetches = await town.owner.fetch(
        "SELECT requested_by FROM bank_fetches WHERE requested_by = 'reconciliation'"
    )
    assert len(fetches) == 1


async def test_a_statement_asked_for_before_the_end_proves_nothing(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        await town.play.fault(kind="delay-after", route="transactions", seconds=3)
        asked = {"accountId": town.play.account_id}
        await town.post("bank", "/v1/bank/fetches", asked)

        async def is_answering() -> bool:
            return not (await town.play.state())["faults"]

        await eventually(is_answering)
        # Its answer is made, and on its way until after the end.
        await town.play.credit(7_00, "too late for the answer")
        report = await reconciled(town, await comparisons_of(town).now())
        await town.booked(4)
    (account,) = report["accounts"]
    assert amounts(account) == ["155.50", "0.00", "-7.00", "0.00", "0.00", "148.50"]


async def test_each_day_of_the_last_week_is_compared_once(town: Branch) -> None:
    await three_rows(town)
    database, url = town.database, town.broker.url
    today = datetime.now(SAST).date()
    names = [f"bank-{today - timedelta(days=back)}" for back in range(1, 8)]
    compared = comparisons_of(town)

    async def all_there() -> bool:
        listed = await town.running.get("/v1/reconciliations")
        return {each["reconciliationId"] for each in listed["items"]} == set(names)

    async with town.bank():
        await town.booked(3)
        async with (
            reconciling(database, url, reconcile_daily_at="00:00"),
            reconciling(database, url, reconcile_daily_at="00:00"),
        ):
            await eventually(all_there)
            ended = [await compared.ended(name) for name in names]
    assert {(each["agrees"], each["kind"]) for each in ended} == {(True, "BANK")}
    assert ended[0]["periodTo"] == f"{today - timedelta(days=1)}T22:00:00.000000Z"
    assert await all_there()


async def test_an_account_that_nobody_follows_is_no_agreement(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        compared = comparisons_of(town)
        asked = await compared.ask(
            kind="BANK",
            periodFrom=LONG_AGO,
            periodTo=(await compared.now()).isoformat(),
            accountId="4711",
        )
        ended = await compared.ended(asked["reconciliationId"])
    assert (ended["status"], ended["agrees"]) == ("FAILED", None)
    assert "4711 was not followed" in ended["reason"]
