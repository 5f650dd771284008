"""Reconciliations as callers see them, and as the documentation describes them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
from pydantic import ConfigDict, Field

from bank.reconciliation.requests import Difference, Request
from gateway.schemas import Page, Schema, Time
from topology.documents import Document, timestamp


class ReconciliationSchema(Schema):
    reconciliation_id: str = Field(examples=["bank-2026-03-24"])
    kind: Literal["BANK", "ECLIPSE"]
    period_from: Time
    period_to: Time = Field(description="not in the period any more")
    account_id: str | None = Field(description="null: all bank accounts that are followed")
    made_by: Literal["eclipse", "anybody"] | None
    status: Literal["RECEIVING", "QUEUED", "RUNNING", "DONE", "FAILED"]
    reason: str | None = Field(
        description="what it waits for, what the last try came to, or why it failed"
    )
    agrees: bool | None = Field(description="null until it is DONE")
    differences: int | None
    received_bytes: int
    created: Time
    started_at: Time | None
    finished_at: Time | None


class ReconciliationPage(Page[ReconciliationSchema]):
    pass


class DifferenceSchema(Schema):
    """`there` and `here` as far as either side has it; with the bank, the row's members instead."""

    model_config = ConfigDict(extra="allow")

    number: int
    kind: Literal[
        "MISSING_HERE",
        "MISSING_THERE",
        "AMOUNT",
        "WALLET",
        "STATUS",
        "LISTED_TWICE",
        "UNREADABLE",
        "BALANCE",
        "NOT_PROVEN",
        "GAP",
    ]
    what_to_do: str
    detail: str | None
    there: dict[str, Any] | None = None
    here: dict[str, Any] | None = None


class DifferencePage(Page[DifferenceSchema]):
    pass


class ReportSchema(Schema):
    """By kind: the sums of an extract and how they come to ours, or the tie-out of each account."""

    model_config = ConfigDict(extra="allow")

    reconciliation_id: str
    kind: Literal["BANK", "ECLIPSE"]
    agrees: bool
    period_from: Time
    period_to: Time
    snapshot_at: Time
    complete_until: Time
    differences: dict[str, int] = Field(description="how many, by kind")


def document(request: Request) -> Document:
    order = request.order
    return {
        "reconciliationId": request.reconciliation_id,
        "kind": order.kind.value,
        "periodFrom": timestamp(order.period_from),
        "periodTo": timestamp(order.period_to),
        "accountId": order.account_id,
        "madeBy": None if order.made_by is None else order.made_by.lower(),
        "status": request.status.value,
        "reason": request.reason,
        "agrees": request.agrees,
        "differences": request.differences,
        "receivedBytes": request.received_bytes,
        "created": timestamp(request.created),
        "startedAt": None if request.started is None else timestamp(request.started),
        "finishedAt": None if request.finished is None else timestamp(request.finished),
    }


def difference_document(difference: Difference) -> Document:
    kept: Document = msgspec.json.decode(difference.document)
    return {"number": difference.number, "kind": difference.kind, **kept}
