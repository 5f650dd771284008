"""What the books hold, as immutable values.

The same values travel in outcomes, so each is also a wire format: frozen, strict, amounts in minor
units, times in UTC. ``msgspec`` structs because a batch makes thousands of them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from uuid import UUID

import msgspec


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A value of the books. Defaults are left out on the wire and in stored details, so that a
    field added later (at the end, with a default) changes nothing that was written before. The
    frequent ones travel as arrays: less than half the bytes."""


class WalletType(StrEnum):
    STANDARD = "STANDARD"
    SYSTEM = "SYSTEM"
    """The other side of money that enters or leaves: no lower limit."""


class WalletStatus(StrEnum):
    ACTIVE = "ACTIVE"
    FROZEN = "FROZEN"
    """No debit and no reservation; credits and releases are allowed."""
    CLOSED = "CLOSED"
    """Final; the balance is zero and nothing is reserved."""


class Wallet(Record, frozen=True):
    """Who owns a balance, in which currency, under which limit; not the balance itself."""

    wallet_id: UUID
    external_unique_id: str
    currency: str
    type: WalletType
    status: WalletStatus
    minimum_minor: int | None
    """Available balance stops here; negative is an overdraft; None for SYSTEM wallets."""
    reference: str
    created: datetime
    name: str | None = None
    metadata: dict[str, str] = {}


class Balance(Record, frozen=True):
    """A wallet's money at one moment."""

    current_minor: int
    reserved_minor: int
    minimum_minor: int | None

    @property
    def available_minor(self) -> int:
        """What a debit may take (rule 3). SYSTEM wallets have no minimum to keep."""
        return self.current_minor - (self.minimum_minor or 0) - self.reserved_minor


class WalletState(Record, frozen=True):
    """A wallet together with its balance, as the HTTP interface shows it."""

    wallet: Wallet
    balance: Balance


class Release(Record, frozen=True, array_like=True):
    """A reservation that ended before its time."""

    reservation_id: UUID
    wallet_id: UUID
    session_id: str
    amount_minor: int
    currency: str


class Transfer(Record, frozen=True, array_like=True):
    """A movement from one wallet to another, with what both balances became."""

    transfer_id: UUID
    command_id: UUID
    external_unique_id: str
    from_wallet_id: UUID
    to_wallet_id: UUID
    amount_minor: int
    currency: str
    created: datetime
    from_sequence: int
    from_balance_minor: int
    to_sequence: int
    to_balance_minor: int
    session_id: str | None = None
    external_id: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    reversal_of: UUID | None = None
    group_id: UUID | None = None
    released: tuple[Release, ...] = ()


class Entry(Record, frozen=True):
    """One leg of a transfer, as a wallet's history shows it."""

    wallet_id: UUID
    sequence: int
    transfer_id: UUID
    amount_minor: int
    """Signed: debits are negative."""
    balance_minor: int
    counterparty_wallet_id: UUID
    external_unique_id: str
    created: datetime
    description: str | None = None
    external_id: str | None = None
    session_id: str | None = None


class Reservation(Record, frozen=True):
    """An amount held for a session until it expires or is released."""

    reservation_id: UUID
    wallet_id: UUID
    amount_minor: int
    currency: str
    session_id: str
    expires: datetime
    created: datetime
    external_unique_id: str
    description: str | None = None
