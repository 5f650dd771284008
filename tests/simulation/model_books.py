"""The state of the model: wallets, transfers and reservations in plain dictionaries, by their keys.

Nothing here comes from the ledger's rules. The ids that the ledger made up are learned from its
answers (``Books.names``).
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from ledger.commands import WalletRef

LIMIT = 90_000_000_000_000_000
DIGITS = {"ZAR": 2, "USD": 2, "JPY": 0, "BHD": 3}

Row = dict[str, Any]
Answer = dict[str, Any]
"""``kind`` and what makes the answer up; refusals: ``code`` and what comes with it."""


class Refused(Exception):
    """The guards below raise it; it never leaves the model."""

    def __init__(self, code: str, **more: Any) -> None:
        super().__init__(code)
        self.answer: Answer = {"kind": "Rejection", "code": code, "index": None, **more}


class Books:
    """The books as they should be."""

    def __init__(self) -> None:
        self.wallets: dict[str, Row] = {}
        self.transfers: dict[str, Row] = {}
        self.reservations: dict[str, Row] = {}
        self.groups: set[str] = set()
        self.names: dict[UUID, str] = {}
        """Ids that the ledger gave out -> the key of the wallet, transfer or reservation."""

    def reserved(self, wallet: str, at: datetime) -> int:
        return sum(
            r["amount"] for r in self.reservations.values() if r["wallet"] == wallet and live(r, at)
        )

    def available(self, wallet: str, at: datetime) -> int:
        row = self.wallets[wallet]
        held = self.reserved(wallet, at)
        return int(row["balance"] - (row["minimum"] or 0) - held)

    def taken(self, space: str, key: str) -> bool:
        """Whether the key is on the ledger."""
        spaces = {
            "wallet": self.wallets,
            "transfer": self.transfers,
            "reservation": self.reservations,
            "group": self.groups,
        }
        return key in spaces[space]

    def live(self, at: datetime) -> list[str]:
        """The keys of all reservations that hold something, sorted."""
        return sorted(key for key, row in self.reservations.items() if live(row, at))

    def held(self, session: str, at: datetime, wallet: str | None = None) -> list[str]:
        """What the session still holds, on one wallet or on any."""
        return [
            key
            for key, row in self.reservations.items()
            if row["session"] == session and live(row, at) and wallet in (None, row["wallet"])
        ]

    def amounts(self, keys: list[str]) -> Row:
        return {key: self.reservations[key]["amount"] for key in keys}

    def find(self, ref: WalletRef) -> str | None:
        if ref.wallet_id is not None:
            return self.names.get(ref.wallet_id)
        return ref.external_unique_id if ref.external_unique_id in self.wallets else None

    def named(self, wallet_id: UUID) -> str:
        if wallet_id not in self.names:
            raise Refused("wallet-not-found")
        return self.names[wallet_id]

    def refuse_funds(self, wallet: str, amount: int, at: datetime) -> None:
        row, available = self.wallets[wallet], self.available(wallet, at)
        if row["type"] == "SYSTEM" and available - amount < -LIMIT:
            raise Refused("limit-exceeded")
        if row["type"] != "SYSTEM" and available < amount:
            raise Refused("insufficient-funds")


def shown(wallet: Row) -> Row:
    """What an answer says about a wallet."""
    return {name: wallet[name] for name in ("currency", "type", "status", "minimum", "balance")}


def live(reservation: Row, at: datetime) -> bool:
    return not reservation["released"] and bool(reservation["expires"] > at)


def minor(amount: Decimal, currency: str) -> int:
    """Minor units; what is finer than the currency is refused."""
    if amount != round(amount, DIGITS[currency]):
        raise Refused("invalid-amount")
    return int(amount * 10 ** DIGITS[currency])
