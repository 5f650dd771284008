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
    """Those that stand for it in the books."""
    debtor: Debtor


async def sources(connection: Queries) -> list[Source]:
    return [
        Source(
            account_id=row["account_id"],
            currency=row["currency"],
            wallets=frozenset(
                row[name] for name in ("control_wallet", "suspense_wallet", "charges_wallet")
            ),
            debtor=Debtor(
                name=row["name"] or "Store of Value",
                account_number=row["account_number"] or row["account_id"],
                currency=row["currency"],
            ),
        )
        for row in await connection.fetch(SQL.accounts)
    ]
