"""Tie-outs of a town whose bank is simulated, as tests ask for them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gateway import reconciliation_documents as schemas
from tests.integration.banks import Branch
from tests.integration.comparisons import Comparisons

LONG_AGO = "2020-01-01T00:00:00+02:00"


def comparisons_of(town: Branch) -> Comparisons:
    return Comparisons(town.running, town.database, town.broker)


async def reconciled(town: Branch, until: datetime | None = None, **more: Any) -> dict[str, Any]:
    """The report of a tie-out until now; its document, list of differences and text are as they
    are described."""
    compared = comparisons_of(town)
    moment = until or await compared.now()
    asked = await compared.ask(
        kind="BANK", periodFrom=LONG_AGO, periodTo=moment.isoformat(), **more
    )
    schemas.ReconciliationSchema.model_validate(asked)
    ended = await compared.ended(asked["reconciliationId"])
    assert ended["status"] == "DONE", ended
    report = await compared.report(asked["reconciliationId"])
    schemas.ReportSchema.model_validate(report)
    page = await town.running.get(
        f"/v1/reconciliations/{asked['reconciliationId']}/differences", limit=1000
    )
    schemas.DifferencePage.model_validate(page)
    assert ended["differences"] == len(page["items"])
    text = await compared.text(asked["reconciliationId"])
    assert all(each["whatToDo"] in text for each in page["items"])
    return {**report, "found": page["items"], "text": text}


def amounts(document: dict[str, Any]) -> list[str]:
    return [term["amount"] for term in document["terms"]]


async def three_rows(town: Branch) -> list[int]:
    await town.running.wallet("alice-01")
    first = await town.play.credit(100_00, await town.reference("alice-01"))
    second = await town.play.credit(50_00, "who knows")
    third = await town.play.credit(1_50, "MONTHLY FEE", type="DEBIT")
    return [*first, *second, *third]
