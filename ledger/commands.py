"""What may be asked of the books: one frozen, strict model per command.

Amounts are ``Decimal`` in major units here, because the digits that a currency has are known only
when its wallet is: the rules turn them into minor units. Lengths are in characters; they are the
contract's, and the columns' checks repeat them.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Final
from uuid import UUID

import msgspec
from msgspec import Meta

from ledger.records import WalletStatus, WalletType

WALLET_KEY_LENGTH: Final = (6, 100)
TRANSFER_KEY_LENGTH: Final = (6, 200)
RESERVATION_KEY_LENGTH: Final = (6, 100)
SESSION_LENGTH: Final = (6, 100)
DESCRIPTION_LENGTH: Final = 200
EXTERNAL_ID_LENGTH: Final = 200
NAME_LENGTH: Final = 200
GROUP_SIZE: Final = 100
DISCARD_REASON_LENGTH: Final = (1, 500)

WalletKey = Annotated[str, Meta(min_length=6, max_length=100)]
TransferKey = Annotated[str, Meta(min_length=6, max_length=200)]
ReservationKey = Annotated[str, Meta(min_length=6, max_length=100)]
SessionId = Annotated[str, Meta(min_length=6, max_length=100)]
Description = Annotated[str, Meta(max_length=200)]
ExternalId = Annotated[str, Meta(min_length=1, max_length=200)]
Name = Annotated[str, Meta(min_length=1, max_length=200)]
DiscardReason = Annotated[str, Meta(min_length=1, max_length=500)]


class _Command(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    array_like=True,
    tag=True,
    tag_field="command",
):
    pass


class WalletRef(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A wallet as a caller names it: by its id or by its external id, exactly one of them."""

    wallet_id: UUID | None = None
    external_unique_id: str | None = None

    def __str__(self) -> str:
        return str(self.wallet_id or self.external_unique_id)


class CreateWallet(_Command, frozen=True):
    external_unique_id: WalletKey
    currency: str
    type: WalletType = WalletType.STANDARD
    minimum_balance: Decimal = Decimal(0)
    name: Name | None = None
    metadata: dict[str, str] = {}


class ChangeWallet(_Command, frozen=True):
    """Fields that are None stay as they are; ``name`` and ``metadata`` are replaced whole."""

    wallet_id: UUID
    status: WalletStatus | None = None
    minimum_balance: Decimal | None = None
    name: Name | None = None
    metadata: dict[str, str] | None = None


class PostTransfer(_Command, frozen=True):
    from_wallet: WalletRef
    to_wallet: WalletRef
    amount: Decimal
    external_unique_id: TransferKey
    currency: str | None = None
    session_id: SessionId | None = None
    external_id: ExternalId | None = None
    description: Description | None = None
    metadata: dict[str, str] = {}


class PostTransferGroup(_Command, frozen=True):
    """All of them in order, or none."""

    transfers: Annotated[tuple[PostTransfer, ...], Meta(min_length=1, max_length=GROUP_SIZE)]
    external_unique_id: TransferKey | None = None


class PostStagedBatch(_Command, frozen=True):
    """All transfers of a bulk file in order, or none. They wait in the database, being too many for
    a message: ``ledger.staged`` makes the group of them that this stands for."""

    batch_id: str
    digest: bytes
    """Of the lines that are meant (``staged.digest_of``)."""
    lines: int


class ReverseTransfer(_Command, frozen=True):
    """``from_wallet_id`` and ``to_wallet_id`` are those of the reversal: the original's, swapped.

    The producer reads them from the original, which never changes, so that the wallets are known
    before anything is locked.
    """

    transfer_id: UUID
    from_wallet_id: UUID
    to_wallet_id: UUID
    external_unique_id: TransferKey
    amount: Decimal | None = None
    description: Description | None = None


class PlaceReservation(_Command, frozen=True):
    wallet_id: UUID
    amount: Decimal
    session_id: SessionId
    expires: datetime
    external_unique_id: ReservationKey
    currency: str | None = None
    description: Description | None = None


class ReleaseReservation(_Command, frozen=True):
    """One reservation by its id."""

    wallet_id: UUID
    reservation_id: UUID


class ReleaseSession(_Command, frozen=True):
    """All reservations that a session still holds on a wallet; none is no error."""

    wallet_id: UUID
    session_id: SessionId


Original = (
    CreateWallet
    | ChangeWallet
    | PostTransfer
    | PostTransferGroup
    | PostStagedBatch
    | ReverseTransfer
    | PlaceReservation
    | ReleaseReservation
    | ReleaseSession
)
"""What callers ask for; the commands below are about these."""


class ReplayDeadLetter(_Command, frozen=True):
    """A parked command once more, under its own keys. It goes the way of the command itself and
    ends with its outcome; the letter is resolved with it."""

    dead_letter_id: UUID
    original: Original


class DiscardDeadLetter(_Command, frozen=True):
    """Resolve a dead letter without doing what it asks for."""

    dead_letter_id: UUID
    reason: DiscardReason


Command = Original | ReplayDeadLetter | DiscardDeadLetter


class Submission(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """A command on its way: one attempt, made once, never applied past its deadline."""

    command_id: UUID
    issued: datetime
    """When the producer took it on, in database time and never later than the truth: a refusal
    recorded after this instant also refuses this command (rule 7)."""
    deadline: datetime
    actor: str
    """The id of the API key that asked."""
    command: Command
    trace: str | None = None
    """The caller's W3C trace id, for the logs."""
