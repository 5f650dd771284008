"""What the bank says to one asking is not taken for the answer to another, nothing is asked for
that others have decided about, and nothing from wallets that are frozen, or the accounts' own."""

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
from tests.integration.gateways import code
from tests.integration.payout_town import PAYEE, Town, bank_running, followed, town
from tests.integration.processes import Broker
from tests.polling import eventually


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


async def test_the_banks_reference_is_kept_though_the_row_was_faster(
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
            (asked,) = await pool.fetch(SQL.submitted, one, "b-1")
            row_id = await pool.fetchval("SELECT row_id FROM bank_rows")
            assert await pool.fetchval(SQL.claim_debit, one, row_id) is not None
            arguments = (one, asked["submitted"], "UBP1", "taken", None)
            (kept,) = await pool.fetch(SQL.taken_in, *arguments)
            assert (kept["state"], kept["reason"]) == ("SUBMITTING", None)
            assert (await here.get(payout))["paymentReference"] == "UBP1"
        finally:
            await pool.close()


async def test_what_others_have_decided_about_is_not_sent_any_more(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path) as here:
        wallet = await here.running.wallet("escrow-01", "20.00")
        await here.play.fault(route="payments", kind="status", status=429, retryAfterS=10)
        payout = await here.ask("escrow-01", "10.00")
        await here.said(payout, "approvals", "ben", "HELD")
        await here.becomes(payout, "SUBMITTING")
        # As if its machine slept in the pause: another one finds it, and two people are sure.
        await here.owner.execute("UPDATE sov.payouts SET state = 'UNKNOWN'")
        await here.said(payout, "cancellations", "anna", "UNKNOWN")
        await here.said(payout, "approvals", "ben", "REJECTED", of="GIVING_UP")
        await here.available(wallet, "20.00")
        # When the next one is asked for, the first has had its turn.
        second = await here.ask("escrow-01", "1.00")
        await here.said(second, "approvals", "ben", "HELD")
        await here.becomes(second, "AWAITING_BANK")
        assert [paid["mine"] for paid in await here.play.payments()] == [second["myReference"]]
        assert (await here.get(payout))["status"] == "REJECTED"
        await here.play.advance(10)
        await here.becomes(second, "SETTLED")
        await here.tie()


async def test_what_the_bank_does_not_admit_keeps_no_other_waiting(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path, bank=False) as here:
        async with bank_running(database, broker, here.play):
            await followed(here)
        await here.running.wallet("escrow-01", "20.00")
        first, second = [await here.ask("escrow-01", "10.00") for _ in range(2)]
        for payout in (first, second):
            await here.said(payout, "approvals", "ben", "HELD")
        await here.play.fault(route="payments", kind="status", status=403)
        async with bank_running(database, broker, here.play):
            for payout in (first, second):
                await here.becomes(payout, "AWAITING_BANK", "SETTLED")
            paid = [each["mine"] for each in await here.play.payments()]
            assert paid == [second["myReference"], first["myReference"]]


async def test_told_to_stop_it_waits_for_the_banks_answer(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path, bank=False) as here:
        async with bank_running(database, broker, here.play):
            await followed(here)
            await here.running.wallet("escrow-01", "10.00")
            await here.play.assume(payment_settles_s=1000)
            await here.play.fault(route="payments", kind="delay-after", seconds=3)
            payout = await here.ask("escrow-01", "10.00")
            await here.said(payout, "approvals", "ben", "HELD")
            await here.becomes(payout, "SUBMITTING")
        taken = await here.get(payout)
        assert taken["status"] == "AWAITING_BANK"
        assert taken["paymentReference"].startswith("UBP")


async def test_nothing_leaves_a_frozen_wallet(
    database: Database, broker: Broker, tmp_path: Path
) -> None:
    async with town(database, broker, tmp_path) as here:
        wallet = await here.running.wallet("escrow-01", "20.00")
        payout = await here.ask("escrow-01", "10.00")
        unknown = {**PAYEE, "accountNumber": "62000000777"}
        for_file = await here.ask("escrow-01", "10.00", beneficiary=unknown)
        await here.said(for_file, "approvals", "ben", "HELD")
        await here.becomes(for_file, "AWAITING_BENEFICIARY")
        await change(here, wallet, "FROZEN")
        await here.said(payout, "approvals", "ben", "HELD")

        async def is_told() -> bool:
            return "frozen" in str((await here.get(payout))["reason"])

        await eventually(is_told)
        assert (await here.get(payout))["status"] == "HELD"
        named = {"format": "CSV", "payoutIds": [payout["payoutId"]]}
        for body in ({"format": "CSV"}, named):
            made = await here.running.http.post(
                "/v1/payouts/exports", json=body, headers=here.by("anna")
            )
            assert code(made) == (409, "payout-conflict")
        assert await here.play.payments() == []
        await change(here, wallet, "ACTIVE")
        await here.becomes(payout, "AWAITING_BANK")
        await here.play.advance(10)
        assert (await here.becomes(payout, "SETTLED"))["reason"] is None
        await here.tie()


async def change(here: Town, wallet_id: str, status: str) -> None:
    path = f"/v1/wallets/{wallet_id}"
    answer = await here.running.http.patch(path, json={"status": status})
    assert answer.status_code == 200, answer.text


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
