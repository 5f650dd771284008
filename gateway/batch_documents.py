"""A bulk file as HTTP shows it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from ledger.batches import Batch, Progress
from ledger.money import exponent_of, format_minor
from topology.documents import Document, timestamp


def document(batch: Batch, progress: Progress) -> Document:
    """What was asked for and how far it has come; counts are of the lines that are decided."""
    order = batch.order
    return {
        "batchId": batch.batch_id,
        "kind": order.kind.lower(),
        "atomic": order.atomic,
        "dryRun": order.dry_run,
        "notAfter": _time(order.not_after),
        "status": batch.status.value,
        "reason": batch.reason,
        "receivedBytes": batch.received_bytes,
        "lines": batch.lines,
        "posted": progress.posted,
        "rejected": progress.rejected,
        "invalid": progress.invalid,
        "expired": progress.expired,
        "cancelled": progress.cancelled,
        "postedAmount": _amounts(progress.posted_minor),
        "rejectedAmount": _amounts(progress.rejected_minor),
        "created": timestamp(batch.created),
        "receivedAt": _time(batch.received),
        "startedAt": _time(batch.started),
        "finishedAt": _time(batch.finished),
    }


def _amounts(minor: Mapping[str, int]) -> dict[str, str]:
    return {
        currency: format_minor(amount, exponent_of(currency))
        for currency, amount in sorted(minor.items())
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
