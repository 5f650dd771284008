"""What a tie-out finds long after a row's day, and more of it than anybody reads."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from ledger.commands import ReverseTransfer
from ledger.kept import KEEPER
from tests.integration.banks import Branch, branch
from tests.integration.comparisons import reconciling
from tests.integration.tie_outs import LONG_AGO, comparisons_of, reconciled, three_rows
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with (
        branch(servers, template, tmp_path) as ready,
        reconciling(ready.database, ready.broker.url),
    ):
        yield ready


async def test_a_booking_that_was_undone_later_is_found(town: Branch) -> None:
    """By whoever can do that, while the bank still shows its row."""
    await three_rows(town)
    async with town.bank():
        rows = await town.booked(3)
        moment = await comparisons_of(town).now()
        (booked,) = [row for row in rows if row["purpose"] == "EXACT"]
        control = await town.owner.fetchval("SELECT control_wallet FROM bank_accounts")
        sides = (booked["wallet_id"], control)
        back = ReverseTransfer(booked["transfer_id"], *sides, "by hand-02")
        await comparisons_of(town).as_somebody_else(back, KEEPER)
        report = await reconciled(town, moment)
        later = await reconciled(town)
    for each, in_transit in ((report, []), (later, ["-100.00"])):
        (found,) = each["found"]
        assert (found["kind"], found["amount"], found["moved"]) == ("AMOUNT", "100.00", "0.00")
        assert found["rowId"] == str(booked["row_id"])
        (account,) = each["accounts"]
        assert [item["amount"] for item in account["inTransit"]] == in_transit
        assert (each["agrees"], account["unexplained"]) == (False, "0.00")
    assert "its booking was taken back" in later["text"]


async def test_more_than_a_report_lists_is_counted(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        compared = comparisons_of(town)
        moment = await compared.now()
        await town.fetch()
        await town.owner.execute(
            "INSERT INTO bank_rows (row_id, account_id, posting_date, posted_order, credit,"
            "                       amount_minor, description, source, held)"
            " SELECT gen_random_uuid(), r.account_id, r.posting_date, r.posted_order + n, true, 1,"
            "        'lost ' || n, 'TEST', true"
            "   FROM (SELECT * FROM bank_rows ORDER BY posted_order DESC LIMIT 1) r,"
            "        generate_series(5000, 1, -1) AS n"
        )
        await compared.ask(
            kind="BANK",
            reconciliationId="many",
            periodFrom=LONG_AGO,
            periodTo=moment.isoformat(),
        )
        ended = await compared.ended("many")
    # All of them, and that no balance is told behind them.
    assert (ended["differences"], ended["agrees"]) == (5001, False)
    (last,) = await compared.differences("many", kind="NOT_PROVEN")
    assert last["number"] == 5001
    (account,) = (await compared.report("many"))["accounts"]
    assert account["inTransitCount"] == 5000
    listed = [item["description"] for item in account["inTransit"]]
    assert listed == [f"lost {number}" for number in range(1, 1001)]
    text = await compared.text("many")
    assert "and 4950 more" in text
    assert len(text.splitlines()) < 400
