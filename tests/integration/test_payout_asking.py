"""What the bank says to one asking is not taken for the answer to another, and nothing is asked for
from wallets that are the bank accounts' own."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from uuid import UUID

from bank.payouts import orders
from bank.payouts.approvals import Person
from bank.payouts.orders import Order, Payee
from bank.sql import PAYOUTS as SQL
from ledger.database import banker_pool
from tests.databases import Database
from tests.integration.payout_town import PAYEE, bank_running, followed, town
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


async def test_nothing_is_paid_from_or_given_to_another_accounts_wallets(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path) as here:
        wallets = [
            await here.running.wallet(f"other-{name}", "10.00")
            for name in ("control", "suspense", "charges")
        ]
        await here.owner.execute(
            "INSERT INTO sov.bank_accounts (account_id, currency, control_wallet, suspense_wallet,"
            " charges_wallet, followed_from) VALUES ('other', 'ZAR', $1, $2, $3, current_date)",
            *wallets,
        )
        ours = {"bankAccountId": here.play.account_id}
        for name in ("control", "suspense", "charges"):
            refused = await here.ask(f"other-{name}", "1.00", expect=422, **ours)
            assert refused["code"] == "same-wallet"
        # An order that a gateway of before took in.
        pool = await banker_pool(database.banker, size=1)
        try:
            left = await orders.order(
                pool,
                Order(
                    external_unique_id="left-over",
                    account_id=here.play.account_id,
                    wallet_id=UUID(wallets[1]),
                    currency="ZAR",
                    amount_minor=100,
                    payee=Payee(PAYEE["name"], PAYEE["accountNumber"], PAYEE["branchCode"]),
                    their_reference="Invoice 42",
                    description=None,
                ),
                Person("k1", "anna"),
                1,
                timedelta(0),
            )
        finally:
            await pool.close()
        assert left is not None
        rejected = await here.becomes({"payoutId": left.payout_id}, "REJECTED")
        assert "stands for a bank account" in rejected["reason"]
        assert await here.balance(wallets[1]) == ("10.00", "10.00")
        # Neither is what lies in suspense given to them.
        row_id = await here.owner.fetchval("SELECT row_id FROM sov.bank_rows")
        for wallet in wallets[:2]:
            answer = await here.running.http.post(
                f"/v1/suspense/{row_id}/actions",
                json={
                    "kind": "ALLOCATE",
                    "reason": "because",
                    "shares": [{"walletId": wallet, "amount": "1000000.00"}],
                },
                headers=here.by("anna"),
            )
            assert answer.status_code == 422, answer.text
            assert "stands for a bank account" in answer.text
