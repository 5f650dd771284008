"""In which currency wallets are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final
from uuid import UUID

from ledger.database import Queries
from ledger.sql import BATCHES as SQL

#: Some 200 bytes each. Whoever pays many is one wallet.
_MOST: Final = 50_000


class Currencies:
    """Asked for once per wallet: a wallet never changes its currency."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._known: dict[UUID, str] = {}

    async def of(self, wallets: set[UUID]) -> Mapping[UUID, str]:
        """At least those of the wallets that exist."""
        asked = wallets.difference(self._known)
        if asked and len(self._known) + len(asked) > _MOST:
            self._known, asked = {}, wallets
        if asked:
            known = self._known
            for row in await self._queries.fetch(SQL.currencies, list(asked)):
                known[row["wallet_id"]] = row["currency"]
            return known
        return self._known
