"""Payment files that the bank books as one debit."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from ledger.commands import ReleaseSession
from ledger.kept import KEEPER
from producers.commands import Answered
from tests.databases import Database
from tests.integration.comparisons import Comparisons, reconciling
from tests.integration.gateways import code
from tests.integration.payout_town import PAYEE, Town, town
from tests.integration.processes import Broker, producing
from tests.integration.tie_outs import LONG_AGO
from tests.polling import eventually


@pytest.fixture
async def here(database: Database, broker: Broker, tmp_path: Path) -> AsyncIterator[Town]:
    async with town(database, broker, tmp_path) as found:
        yield found
        await found.tie()


async def exported(here: Town, *amounts: str) -> tuple[str, list[dict[str, Any]]]:
    """A file of such payouts, which nobody could pay otherwise; its id, and they."""
    new = {**PAYEE, "accountNumber": "62000000777"}
    payouts = [await here.ask("escrow-01", amount, beneficiary=new) for amount in amounts]
    for payout in payouts:
        await here.said(payout, "approvals", "ben", "HELD")
        await here.becomes(payout, "AWAITING_BENEFICIARY")
    asked = {"format": "PAIN.001"}
    made = await here.running.http.post("/v1/payouts/exports", json=asked, headers=here.by("anna"))
    assert made.status_code == 201, made.text
    return made.json()["exportId"], payouts


async def said_of(here: Town, row_id: str, export_id: str, person: str = "anna") -> httpx.Response:
    """Somebody says that the row is the file's."""
    body = {"kind": "EXPORT", "exportId": export_id, "reason": "the bank's pages say so"}
    path = f"/v1/bank/rows/{row_id}/actions"
    return await here.running.http.post(path, json=body, headers=here.by(person))


async def agreed(here: Town, action: httpx.Response, person: str = "ben") -> httpx.Response:
    assert action.status_code == 202, action.text
    path = f"/v1/bank/actions/{action.json()['actionId']}/approvals"
    return await here.running.http.post(path, json={}, headers=here.by(person))


async def tied_out(here: Town) -> dict[str, Any]:
    """The report of a tie-out of all that is there by now."""
    compared = Comparisons(here.running, here.database, here.broker)
    async with reconciling(here.database, here.broker.url):
        period: dict[str, Any] = {
            "periodFrom": LONG_AGO,
            "periodTo": (await compared.now()).isoformat(),
        }
        asked = await compared.ask(kind="BANK", **period)
        await compared.ended(asked["reconciliationId"])
        return await compared.report(asked["reconciliationId"])


async def test_a_file_that_is_paid_as_one_is_settled_where_two_people_say_so(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "30.00")
    export_id, payouts = await exported(here, "10.00", "5.00", "3.00")
    # One of them has a row of its own; the bank pays the others as one.
    first, *others = payouts
    await here.play.credit(10_00, first["myReference"], type="DEBIT")
    await here.becomes(first, "SETTLED")
    await here.play.credit(8_00, "BATCH", type="DEBIT")
    row_id = await here.row("PAYOUT")
    asked = await said_of(here, row_id, export_id)
    assert asked.json()["exportId"] == export_id
    assert code(await agreed(here, asked, "anna too")) == (403, "same-owner")
    assert (await agreed(here, asked)).status_code == 200
    for payout in others:
        settled = await here.becomes(payout, "SETTLED")
        transfer = await here.running.get(f"/v1/transfers/{settled['transferId']}")
        assert transfer["externalUniqueId"] == settled["sessionId"]
        assert [r["amount"] for r in transfer["releasedReservations"]] == [payout["amount"]]
    assert await here.balance(wallet) == ("12.00", "12.00")
    await here.tie()
    report = await tied_out(here)
    assert (report["agrees"], report["differences"]) == (True, {})


async def test_a_row_that_is_not_the_whole_of_a_file_is_refused(here: Town) -> None:
    await here.running.wallet("escrow-01", "30.00")
    export_id, payouts = await exported(here, "10.00", "5.00")
    await here.play.credit(15_00, "BATCH", type="DEBIT")
    row_id = await here.row("PAYOUT")
    nobody = "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"
    assert code(await said_of(here, row_id, nobody)) == (409, "bank-conflict")
    asked = await said_of(here, row_id, export_id)
    # One of them is given up before another person agrees: what is left is not the row's.
    await here.said(payouts[1], "cancellations", "anna", "AWAITING_BANK")
    await here.said(payouts[1], "approvals", "cora", "REJECTED", of="GIVING_UP")
    assert (await agreed(here, asked)).status_code == 200
    path = f"/v1/bank/actions/{asked.json()['actionId']}"

    async def has_failed() -> str:
        found = await here.running.get(path)
        return str(found["problem"]) if found["status"] == "FAILED" else ""

    assert "comes to 10.00, the row to 15.00" in await eventually(has_failed, 30)
    assert (await here.get(payouts[0]))["status"] == "AWAITING_BANK"
    assert code(await said_of(here, row_id, export_id)) == (409, "bank-conflict")
    await here.act(row_id, "BOOK")


async def test_a_payout_of_a_file_that_its_wallet_cannot_pay_keeps_no_other(here: Town) -> None:
    wallet = await here.running.wallet("escrow-01", "15.00")
    export_id, payouts = await exported(here, "10.00", "5.00")
    # As nobody can but a defect of the bank process: what was held is spent.
    async with producing(here.database, here.broker.url) as producer:
        release = ReleaseSession(UUID(wallet), payouts[0]["sessionId"])
        assert isinstance(await producer.commands.ask(release, actor=KEEPER, wait_s=10), Answered)
    await here.running.paid("escrow-01", "system-zar", "10.00", "spent-0001")
    await here.play.credit(15_00, "BATCH", type="DEBIT")
    asked = await said_of(here, await here.row("PAYOUT"), export_id)
    assert (await agreed(here, asked)).status_code == 200
    await here.becomes(payouts[1], "SETTLED")
    await here.row("REFUSED")
    report = await tied_out(here)
    assert report["differences"] == {"MISSING_HERE": 1}
    assert [each["amount"] for each in report["accounts"][0]["inTransit"]] == ["10.00"]

    async def has_problem() -> bool:
        return "insufficient-funds" in str((await here.get(payouts[0]))["problem"])

    await eventually(has_problem, 30)
    await here.running.paid("system-zar", "escrow-01", "10.00", "given-0001")
    await here.owner.execute("UPDATE sov.bank_rows SET not_before = NULL")
    await here.becomes(payouts[0], "SETTLED")
    assert await here.balance(wallet) == ("0.00", "0.00")
    await here.tie()
    assert (await tied_out(here))["agrees"]
