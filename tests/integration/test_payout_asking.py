"""What the bank says to one asking is not taken for the answer to another."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from bank.sql import PAYOUTS as SQL
from ledger.database import banker_pool
from tests.databases import Database
from tests.integration.payout_town import bank_running, followed, town
from tests.integration.processes import Broker


async def test_a_late_word_is_not_about_the_next_asking(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path, bank=False) as here:
        async with bank_running(database, broker, here.play):
            await followed(here)
        await here.running.wallet("escrow-01", "10.00")
        payout = await here.ask("escrow-01", "10.00")
        await here.said(payout, "approvals", "ben", "HELD")
        pool = await banker_pool(database.banker, size=1)
        try:
            one = UUID(payout["payoutId"])
            (first,) = await pool.fetch(SQL.submitted, one, "b-1")
            assert await pool.fetch(SQL.not_asked, one, first["submitted"], "away")
            (second,) = await pool.fetch(SQL.submitted, one, "b-1")
            assert second["submitted"] > first["submitted"]
            # The first one said it, was not heard, and says it again.
            for statement, more in (
                (SQL.not_asked, ("away",)),
                (SQL.taken_in, ("UBP1", "taken", None)),
                (SQL.answered, ("REJECTED", "no funds")),
                (SQL.answered, ("UNKNOWN", "no answer")),
            ):
                assert await pool.fetch(statement, one, first["submitted"], *more) == []
            assert (await here.get(payout))["status"] == "SUBMITTING"
            (taken,) = await pool.fetch(SQL.taken_in, one, second["submitted"], "UBP1", "", None)
            assert taken["state"] == "AWAITING_BANK"
        finally:
            await pool.close()
