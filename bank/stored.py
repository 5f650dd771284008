"""Rows and accounts as they are kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from bank.lines import Known, Line
from ledger.money import exponent_of


class Purpose(StrEnum):
    """What the booking of a row is. Payouts add their own (``bank.payouts``)."""

    EXACT = "EXACT"
    INSIDE = "INSIDE"
    ALIAS = "ALIAS"
    NOTHING_FOUND = "NOTHING_FOUND"
    SEVERAL_WALLETS = "SEVERAL_WALLETS"
    WALLET_REFUSED = "WALLET_REFUSED"
    """The ledger would not let the wallet have it: closed, say."""
    RETURNED = "RETURNED"
    """Suspense that went back to where it came from."""
    BANK_CHARGE = "BANK_CHARGE"
    """What the bank booked by itself: fees, cards, debit orders."""


#: What lies in suspense until people say where it belongs.
IN_SUSPENSE = (Purpose.NOTHING_FOUND, Purpose.SEVERAL_WALLETS, Purpose.WALLET_REFUSED)


@dataclass(frozen=True, slots=True)
class BankAccount:
    """A real account that is followed, or was, and its wallets in the books."""

    account_id: str
    currency: str
    control_wallet: UUID
    suspense_wallet: UUID
    charges_wallet: UUID
    followed_from: date
    opening_minor: int | None
    fetched: datetime | None
    fetched_to: date | None
    by_api: bool
    """Whether the API has told so; else files have."""
    account_number: str | None
    """What the bank calls it where people see it."""
    followed_until: datetime | None
    """Since when it is not followed any more; its rows and wallets stay."""

    @property
    def exponent(self) -> int:
        return exponent_of(self.currency)


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row with its account's wallets, and what was decided about it so far."""

    row_id: UUID
    account_id: str
    line: Line
    stored: datetime
    currency: str
    control_wallet: UUID
    suspense_wallet: UUID
    charges_wallet: UUID
    wallet_id: UUID | None = None
    purpose: str | None = None
    matched_by: str | None = None
    session_id: str | None = None
    transfer_key: str | None = None
    not_before: datetime | None = None
    """A command that is issued by then only meets the last refusal again."""

    @property
    def exponent(self) -> int:
        return exponent_of(self.currency)


def account_of(record: Mapping[str, Any]) -> BankAccount:
    return BankAccount(**record)


def line_of(record: Mapping[str, Any]) -> Line:
    return Line(
        record["posting_date"],
        record["posted_order"],
        record["credit"],
        record["amount_minor"],
        record["description"],
        record["transaction_type"],
        record["value_date"],
        record["transaction_date"],
        record["running_minor"],
    )


def known_of(record: Mapping[str, Any]) -> Known:
    return Known(
        record["row_id"],
        line_of(record),
        record["source"],
        record["vanished"],
        record["same_as"],
        frozenset(record["retold_by"]),
        frozenset(record["suspected_in"]),
    )


def row_of(record: Mapping[str, Any]) -> StoredRow:
    return StoredRow(
        row_id=record["row_id"],
        account_id=record["account_id"],
        line=line_of(record),
        stored=record["stored"],
        currency=record["currency"],
        control_wallet=record["control_wallet"],
        suspense_wallet=record["suspense_wallet"],
        charges_wallet=record["charges_wallet"],
        wallet_id=record["wallet_id"],
        purpose=record["purpose"],
        matched_by=record["matched_by"],
        session_id=record["session_id"],
        transfer_key=record["transfer_key"],
        not_before=record["not_before"],
    )
