"""Who says first what a row is: parts that wait for rows of their own, asked before matching.

A claim is made in the transaction that keeps it, so that what the claimant writes about itself and
what the row says cannot part. Nothing of it may be taken back: the transfer may be on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol
from uuid import UUID

from bank.stored import StoredRow


@dataclass(frozen=True, slots=True)
class Claim:
    """What the row is: control to ``wallet_id`` for a credit, ``wallet_id`` to control for a
    debit."""

    wallet_id: UUID
    purpose: str
    matched_by: str
    session_id: str | None = None
    """Spends what the session holds."""
    transfer_key: str | None = None
    """Default: ``key_of`` the row."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Nobody may book the row for now; the claimant is asked again. Where people have to look, the
    claimant has raised the exception."""

    why: str


def key_of(row_id: UUID) -> str:
    """Of the transfer that books a row whose claim names no other."""
    return f"bank-row:{row_id}"


class Claimant(Protocol):
    async def claim(self, connection: Any, row: StoredRow) -> Claim | Wait | None:
        """None where the row is not the claimant's. Within the transaction that keeps the claim."""

    async def booked(self, connection: Any, row: StoredRow, transfer_id: UUID) -> None:
        """The row's transfer is on the ledger; called for every row, once, in the transaction that
        keeps it."""
