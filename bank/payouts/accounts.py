"""The bank accounts that money can leave from."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from bank.payouts.files import Debtor
from bank.sql import PAYOUTS as SQL
from ledger.database import Queries


@dataclass(frozen=True, slots=True)
class Source:
    account_id: str
    currency: str
    wallets: frozenset[UUID]
    """Those that stand for bank accounts in the books, for this one and for all others."""
    debtor: Debtor
    followed: bool
    """Else its rows are not looked at any more, and nothing is paid from it."""


async def sources(connection: Queries) -> list[Source]:
    found = await connection.fetch(SQL.accounts)
    wallets = frozenset(
        row[name]
        for row in found
        for name in ("control_wallet", "suspense_wallet", "charges_wallet")
    )
    return [
        Source(
            account_id=row["account_id"],
            currency=row["currency"],
            wallets=wallets,
            followed=row["followed"],
            debtor=Debtor(
                name=row["name"] or "Store of Value",
                account_number=row["account_number"] or row["account_id"],
                currency=row["currency"],
            ),
        )
        for row in found
    ]
