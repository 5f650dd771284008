"""What became of a command: the outcome log is the outbox and the audit trail."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec

from ledger.records import Release, Reservation, Transfer, WalletState
from ledger.rejections import Rejection


class _Result(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    pass


class WalletCreated(_Result, frozen=True):
    state: WalletState


class WalletChanged(_Result, frozen=True):
    state: WalletState


class TransferPosted(_Result, frozen=True):
    transfer: Transfer


class TransferGroupPosted(_Result, frozen=True):
    group_id: UUID
    transfers: tuple[Transfer, ...]
    external_unique_id: str | None = None


class ReservationPlaced(_Result, frozen=True):
    reservation: Reservation


class ReservationsReleased(_Result, frozen=True):
    wallet_id: UUID
    released: tuple[Release, ...]


class DeadLetterDiscarded(_Result, frozen=True):
    dead_letter_id: UUID
    reason: str


Effect = (
    WalletCreated
    | WalletChanged
    | TransferPosted
    | TransferGroupPosted
    | ReservationPlaced
    | ReservationsReleased
    | DeadLetterDiscarded
)

Result = Effect | Rejection


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True):
    """The one answer to a command id, for ever."""

    command_id: UUID
    partition: int
    number: int
    """Counts 1, 2, 3 … per partition without gaps, in commit order."""
    decided: datetime
    """The decision time of its transaction (DESIGN.md)."""
    result: Result
    actor: str
    first_event: int | None = None
    """Number of the first event it emits in its partition; None where it emits nothing."""
