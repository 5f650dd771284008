"""What never changes in the books, and need not be asked twice: bounded, positive answers only."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection
from typing import Final, Generic, NamedTuple, TypeVar
from uuid import UUID

from ledger import reads
from ledger.commands import WalletRef
from ledger.database import Queries

_MOST_NAMES: Final = 50_000
_MOST_ORIGINALS: Final = 10_000

Key = TypeVar("Key")
Value = TypeVar("Value")


class Remembered(Generic[Key, Value]):
    """The values used last, as many as fit."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: Key, value: Value) -> None:
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)


class WalletNames:
    """External ids of wallets -> their ids; a pair never changes."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._known: Remembered[str, UUID] = Remembered(_MOST_NAMES)

    async def refs(self, names: Collection[str]) -> dict[str, WalletRef]:
        """Each name as a command may carry it: by id where the books have it by now, else by the
        name itself, for the ledger to decide."""
        refs = {}
        asked = []
        for name in names:
            known = self._known.get(name)
            if known is None:
                asked.append(name)
            else:
                refs[name] = WalletRef(wallet_id=known)
        if asked:
            found = await reads.wallet_ids(self._queries, asked)
            for name in asked:
                refs[name] = self._ref(name, found.get(name))
        return refs

    def _ref(self, name: str, found: UUID | None) -> WalletRef:
        if found is None:
            return WalletRef(external_unique_id=name)
        self._known.put(name, found)
        return WalletRef(wallet_id=found)


class Direction(NamedTuple):
    from_wallet_id: UUID
    to_wallet_id: UUID


class Originals:
    """Transfers that were asked to be reversed -> between which wallets they went."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._known: Remembered[UUID, Direction] = Remembered(_MOST_ORIGINALS)

    async def direction(self, transfer_id: UUID) -> Direction | None:
        """None where there is no such transfer."""
        known = self._known.get(transfer_id)
        if known is None:
            transfer = await reads.transfer(self._queries, transfer_id)
            if transfer is None:
                return None
            known = Direction(transfer.from_wallet_id, transfer.to_wallet_id)
            self._known.put(transfer_id, known)
        return known


class Currencies:
    """Wallets -> their currencies."""

    def __init__(self, queries: Queries) -> None:
        self._queries = queries
        self._known: Remembered[UUID, str] = Remembered(_MOST_NAMES)

    async def currency(self, wallet_id: UUID) -> str | None:
        """None where there is no such wallet."""
        known = self._known.get(wallet_id)
        if known is None:
            found = await reads.wallet(self._queries, wallet_id)
            if found is None:
                return None
            known = found.state.wallet.currency
            self._known.put(wallet_id, known)
        return known
