"""Which accounts are followed, and where their rows come from, when people change their minds:
nothing is lost, nobody waits for ever, and nothing agrees that nobody has seen."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from bank.investec.records import SAST
from gateway import bank_schemas as schemas
from ledger.money import format_minor
from tests.integration.banks import Branch, banking, branch, of
from tests.integration.comparisons import Comparisons, reconciling
from tests.integration.tie_outs import LONG_AGO, amounts, comparisons_of, reconciled, three_rows
from tests.polling import eventually, until
from tests.servers import Servers

OTHER = "400000000000000000000001"
#: As ``three_rows`` makes them.
THREE = (100_00, 50_00, -1_50)


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with (
        branch(servers, template, tmp_path) as ready,
        reconciling(ready.database, ready.broker.url),
    ):
        yield ready


async def accounts(town: Branch) -> dict[str, Mapping[str, Any]]:
    found = await town.running.get("/v1/bank/accounts")
    schemas.BankAccountPage.model_validate(found)
    return {each["accountId"]: each for each in found["items"]}


async def let_go(town: Branch, account_id: str) -> None:
    async def is_let_go() -> bool:
        return bool((await accounts(town))[account_id]["followedUntil"])

    await eventually(is_let_go, 30)


async def two_accounts(town: Branch) -> None:
    """Alice has 100.00 in the other one, and 7.00 in that of the simulated bank itself."""
    await town.running.wallet("alice-01")
    await town.play.post("accounts", {"accountId": OTHER, "openingCents": 1_000_00})
    await town.play.credit(100_00, await town.reference("alice-01"), accountId=OTHER)
    await town.play.credit(7_00, await town.reference("alice-01"))


async def ended_fetch(town: Branch, fetch_id: str) -> Mapping[str, Any]:
    async def is_finished() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = await town.running.get(f"/v1/bank/fetches/{fetch_id}")
        return found if found["finished"] else None

    found = await eventually(is_finished, 30)
    assert found is not None
    return found


async def test_an_account_that_is_named_no_more_is_let_go_and_may_come_back(town: Branch) -> None:
    account_id = town.play.account_id
    await town.play.credit(10_00, "rent")
    async with town.bank():
        await town.booked(1)
    await town.play.credit(20_00, "more rent")
    asked = await town.post("bank", "/v1/bank/fetches", {"accountId": account_id})
    # As whoever was killed leaves a row that it has stored.
    await town.owner.execute(
        "INSERT INTO bank_rows (row_id, account_id, posting_date, credit, amount_minor,"
        " description, source) VALUES ($1, $2, '2020-01-02', true, 500, 'stored', 'API')",
        *(uuid4(), account_id),
    )
    async with town.bank(bank_accounts="another"):
        told = await ended_fetch(town, asked["fetchId"])
        assert "not followed any more" in told["problem"]
        await let_go(town, account_id)
        booked = await town.booked(2)
        assert sorted(of(booked, "amount_minor")) == [(5_00,), (10_00,)]
        await town.post("bank", "/v1/bank/fetches", {"accountId": account_id}, 422)
        order = {"format": "CSV", "bankAccountId": account_id}
        refused = await town.post("bank", "/v1/payouts/exports", order, 422)
        assert refused["errors"][0]["pointer"] == "/bankAccountId"
    async with town.bank():
        await town.booked(3)
        assert (await accounts(town))[account_id]["followedUntil"] is None


async def test_a_tie_out_neither_waits_for_it_nor_forgets_its_money(town: Branch) -> None:
    await two_accounts(town)
    here = town.play.account_id
    async with town.bank():
        await town.booked(2)
        before = await comparisons_of(town).now()
        assert (await reconciled(town, before))["agrees"]
    async with town.bank(bank_accounts=here):
        await let_go(town, OTHER)
        report = await reconciled(town)
        # What was seen of an earlier period counts as ever.
        assert (await reconciled(town, before))["agrees"]
        tied = {each["accountId"]: each for each in report["accounts"]}
        assert (tied[here]["followedUntil"], bool(tied[OTHER]["followedUntil"])) == (None, True)
        first = tied[OTHER]["terms"][0]
        assert first["term"].startswith("last known bank balance: not followed since ")
        assert amounts(tied[OTHER]) == ["1100.00", "-1000.00", "0.00", "0.00", "0.00", "100.00"]
        (zar,) = report["currencies"]
        assert (zar["owed"], zar["unexplained"]) == ("107.00", "0.00")
        (found,) = report["found"]
        assert (found["kind"], found["accountId"]) == ("NOT_PROVEN", OTHER)
        assert "100.00 rest on it" in found["detail"]
        assert report["agrees"] is False
        await _brought_over(town)
        report = await reconciled(town)
    assert (report["agrees"], report["found"]) == (True, [])
    assert report["currencies"][0]["owed"] == "207.00"


async def _brought_over(town: Branch) -> None:
    """What was in the other account comes to this one, and two people say so."""
    await town.play.credit(100_00, "from our other account")
    await town.fetch()
    (row,) = [row for row in await town.booked(3) if row["purpose"] == "NOTHING_FOUND"]
    charges = (await accounts(town))[OTHER]["chargesWalletId"]
    action = await town.post(
        "bank",
        f"/v1/suspense/{row['row_id']}/actions",
        {
            "kind": "WRITE_OFF",
            "reason": "the other account was closed",
            "shares": [{"walletId": charges, "amount": "100.00"}],
        },
    )
    path = f"/v1/bank/actions/{action['actionId']}"
    await town.post("approver", f"{path}/approvals", {})

    async def is_done() -> bool:
        return bool((await town.running.get(path))["status"] == "DONE")

    await eventually(is_done, 30)


async def waiting(town: Branch, end: datetime) -> Comparisons:
    """A tie-out that waits for its statement."""
    compared = comparisons_of(town)
    period: dict[str, Any] = {"periodFrom": LONG_AGO, "periodTo": end.isoformat()}
    await compared.ask(kind="BANK", reconciliationId="waits", **period)

    async def is_waiting() -> bool:
        return "has to be fetched" in ((await compared.status("waits"))["reason"] or "")

    await eventually(is_waiting)
    return compared


async def tried_again(town: Branch) -> None:
    """Somebody has looked twice since whether it can be compared by now."""
    attempts = "SELECT attempt FROM reconciliations WHERE reconciliation_id = 'waits'"
    before = await town.owner.fetchval(attempts)

    async def is_tried() -> bool:
        return bool(await town.owner.fetchval(attempts) >= before + 2)

    await eventually(is_tried, 30)


async def taking_files(town: Branch) -> None:
    """Until the process has said that rows come from files."""
    await eventually(lambda: town.owner.fetchval("SELECT NOT bool_or(by_api) FROM bank_accounts"))


def today() -> date:
    return datetime.now(SAST).date()


async def handed_in(town: Branch, day: date, *cents: int) -> None:
    """A file of rows that are known already, all of one day, with the balances around them."""
    before = day - timedelta(days=1)
    lines = [":20:X", f":60F:C{before:%y%m%d}ZAR0,00"]
    for each in cents:
        amount = f"{'C' if each > 0 else 'D'}{written(abs(each))}"
        lines += [f":61:{day:%y%m%d%m%d}{amount}NTRFNONREF", ":86:as the file says"]
    lines.append(f":62F:C{day:%y%m%d}ZAR{written(sum(cents))}")
    answer = await town.http.post(
        "/v1/bank/statements",
        params={"accountId": town.play.account_id, "format": "MT940"},
        content="\n".join([*lines, ""]),
        headers={**town.running.key("bank"), "Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == 202, answer.text
    path = f"/v1/bank/statements/{answer.json()['statementId']}"

    async def waits() -> bool:
        return bool((await town.running.get(path))["status"] == "AWAITING_APPROVAL")

    await eventually(waits, 30)
    await town.post("approver", f"{path}/approvals", {})

    async def is_finished() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = await town.running.get(path)
        return found if found["finished"] else None

    found = await eventually(is_finished, 30)
    assert found is not None
    assert (found["status"], found["new"], found["rows"]) == ("DONE", 0, len(cents)), found


def written(cents: int) -> str:
    return format_minor(cents, 2).replace(".", ",")


async def overnight(town: Branch) -> None:
    """The files were handed in a day later, when the day that they tell of was over."""
    await town.owner.execute("UPDATE bank_statements SET uploaded = uploaded + interval '1 day'")


async def test_from_the_api_to_files_and_back(town: Branch) -> None:
    await three_rows(town)
    here = town.play.account_id
    async with town.bank():
        await town.booked(3)
        before = await comparisons_of(town).now()
        assert (await reconciled(town, before))["agrees"]
    end = await comparisons_of(town).now()
    async with banking(town.database, town.broker, None, bank_accounts=here) as bank:
        assert bank.report()["bank"] == "files"
        await taking_files(town)
        compared = await waiting(town, end)
        # Nobody asks where nobody answers, and whoever does is told so.
        asked = await town.post("bank", "/v1/bank/fetches", {"accountId": here})
        assert "no API" in (await ended_fetch(town, asked["fetchId"]))["problem"]
        asking = "SELECT requested_by FROM bank_fetches WHERE requested > $1"
        (only,) = await town.owner.fetch(asking, end)
        assert only["requested_by"] != "reconciliation"
        await handed_in(town, today(), *THREE)
        await tried_again(town)
        assert (await compared.status("waits"))["finishedAt"] is None
        await overnight(town)
        assert (await compared.ended("waits"))["agrees"]
        # What the API was asked for after an earlier period still proves that one.
        assert (await reconciled(town, before))["agrees"]
    async with town.bank():
        assert (await reconciled(town))["agrees"]
    assert await town.exceptions() == []


async def test_a_file_of_earlier_days_proves_nothing_of_later_ones(town: Branch) -> None:
    early = today() - timedelta(days=3)
    await town.play.credit(5_00, "early", postingDate=early.isoformat())
    await three_rows(town)
    async with town.bank():
        await town.booked(4)
    here = town.play.account_id
    async with banking(town.database, town.broker, None, bank_accounts=here):
        await handed_in(town, today(), *THREE)
        compared = await waiting(town, await comparisons_of(town).now())
        await handed_in(town, early, 5_00)
        await town.owner.execute(
            "UPDATE bank_statements SET uploaded = uploaded + interval '1 day' WHERE last_day = $1",
            early,
        )
        await tried_again(town)
        assert (await compared.status("waits"))["finishedAt"] is None


async def test_a_file_is_no_proof_where_rows_come_from_the_api(town: Branch) -> None:
    await three_rows(town)
    async with town.bank():
        await town.booked(3)
        await town.play.fault(kind="status", route="transactions", status=500, times=1000)
        compared = await waiting(town, await comparisons_of(town).now())
        await handed_in(town, today(), *THREE)
        await overnight(town)
        await tried_again(town)
        assert (await compared.status("waits"))["finishedAt"] is None
        await town.play.http.request("DELETE", "/simulator/faults")
        assert (await compared.ended("waits", 90))["agrees"]


async def test_without_any_bank_the_process_idles_and_says_so_once(town: Branch) -> None:
    with capture_logs() as lines:
        async with banking(town.database, town.broker, None) as bank:
            await until(lambda: bank.report()["leads"])
            assert bank.ready
            assert (bank.report()["bank"], bank.report()["problems"]) == ("none", {})
            assert await accounts(town) == {}
    told = [line for line in lines if line["event"] == "bank.none"]
    assert len(told) == 1
    assert "SOV_BANK_ACCOUNTS" in told[0]["what"]
