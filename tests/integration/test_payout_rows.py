"""Rows of the statement that are a payout's, or may be: what is certain is booked, what is not is
for two people."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.databases import Database
from tests.integration.gateways import code
from tests.integration.payout_town import Town, town
from tests.integration.processes import Broker
from tests.polling import eventually


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(database, broker, tmp_path) as found:
        yield found
        await found.tie()


@pytest.mark.parametrize("named", ["mine", "bank-reference"])
async def test_money_that_comes_back_is_in_the_wallet_again(here: Town, named: str) -> None:
    await here.play.assume(return_description=named)
    wallet = await here.running.wallet("escrow-01", "10.00")
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    await here.play.advance(10)
    settled = await here.becomes(payout, "SETTLED")
    await here.play.decide(settled["paymentReference"], "return")
    returned = await here.becomes(payout, "RETURNED")
    assert await here.balance(wallet) == ("10.00", "10.00")
    transfer = await here.running.get(f"/v1/transfers/{returned['returnTransferId']}")
    assert transfer["externalUniqueId"].startswith("payout-return:")


async def test_a_debit_of_its_amount_without_its_reference_is_no_bank_charge(here: Town) -> None:
    await here.running.wallet("escrow-01", "10.00")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    taken = await here.becomes(payout, "AWAITING_BANK")
    await here.play.credit(10_00, "CARD PURCHASE", type="DEBIT")

    async def is_told() -> bool:
        kinds = await here.owner.fetch("SELECT kind FROM sov.bank_exceptions")
        return [row["kind"] for row in kinds] == ["PAYOUT"]

    await eventually(is_told)
    assert (await here.get(payout))["status"] == "AWAITING_BANK"
    await here.play.decide(taken["paymentReference"], "approve")
    await here.play.advance(10)
    await here.becomes(payout, "SETTLED")

    async def is_resolved() -> bool:
        return (
            await here.owner.fetchval(
                "SELECT bool_and(resolved > stored) FROM"
                " sov.bank_exceptions JOIN sov.bank_rows USING (row_id)"
            )
            is True
        )

    # Whose it was is certain now, and so is whose the other one is.
    await eventually(is_resolved)


async def doubtful(here: Town) -> str:
    """The id of the one row that may be a payout's."""

    async def is_told() -> str | None:
        found = await here.owner.fetch(
            "SELECT row_id FROM sov.bank_exceptions WHERE kind = 'PAYOUT' AND resolved IS NULL"
        )
        return str(found[0]["row_id"]) if found else None

    row_id = await eventually(is_told)
    assert row_id is not None
    return row_id


async def test_a_row_whose_reference_was_cut_is_the_payouts_where_two_people_say_so(
    here: Town,
) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    await here.play.assume(authorisation_required=True)
    payout = await here.ask("escrow-01", "10.00")
    await here.said(payout, "approvals", "ben", "HELD")
    await here.becomes(payout, "AWAITING_BANK")
    words = f"INTERNET BANKING PAYMENT TO {payout['myReference']}"
    await here.play.credit(10_00, words, type="DEBIT")
    row_id = await doubtful(here)
    asked = {"rowId": row_id, "reason": "the time and the payee agree"}
    path = f"/v1/payouts/{payout['payoutId']}/rows"
    http = here.running.http
    named = await http.post(path, json=asked, headers=here.by("ben"))
    assert (named.status_code, named.json()["namedBy"]) == (200, "ben")
    assert code(await http.post(path, json=asked, headers=here.by("cora"))) == (
        409,
        "payout-conflict",
    )
    assert code(await here.say(payout, "approvals", "ben", of="ROW")) == (403, "same-owner")
    assert code(await here.say(payout, "cancellations", "cora")) == (409, "payout-conflict")
    await here.said(payout, "refusals", "cora", "AWAITING_BANK")
    assert (await http.post(path, json=asked, headers=here.by("ben"))).status_code == 200
    await here.said(payout, "approvals", "cora", "AWAITING_BANK", of="ROW")
    await here.becomes(payout, "SETTLED")
    assert await here.balance(wallet) == ("20.00", "20.00")
