"""Business refusals: values, recorded like any outcome, never exceptions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final
from uuid import UUID

from ledger.records import Record, Reservation, Transfer, WalletState


class Code(StrEnum):
    """Why a command was refused, in order of precedence: the first that applies is the answer."""

    UNAVAILABLE = "unavailable"
    """Sent to partitions that no longer exist; nothing was looked at."""
    DEADLINE_EXCEEDED = "deadline-exceeded"
    INVALID_REQUEST = "invalid-request"
    INVALID_AMOUNT = "invalid-amount"
    DEAD_LETTER_NOT_FOUND = "dead-letter-not-found"
    DEAD_LETTER_RESOLVED = "dead-letter-resolved"
    """The letter was replayed or discarded before; its command was not looked at."""
    DUPLICATE_GROUP = "duplicate-group"
    DUPLICATE_WALLET = "duplicate-wallet"
    DUPLICATE_TRANSFER = "duplicate-transfer"
    DUPLICATE_RESERVATION = "duplicate-reservation"
    WALLET_NOT_FOUND = "wallet-not-found"
    TRANSFER_NOT_FOUND = "transfer-not-found"
    RESERVATION_NOT_FOUND = "reservation-not-found"
    UNKNOWN_WALLET = "unknown-wallet"
    SAME_WALLET = "same-wallet"
    CURRENCY_MISMATCH = "currency-mismatch"
    WALLET_CLOSED = "wallet-closed"
    WALLET_FROZEN = "wallet-frozen"
    WALLET_NOT_EMPTY = "wallet-not-empty"
    REVERSAL_EXCEEDS_ORIGINAL = "reversal-exceeds-original"
    LIMIT_EXCEEDED = "limit-exceeded"
    INSUFFICIENT_FUNDS = "insufficient-funds"
    INTERNAL = "internal"
    """A defect of ours: the command was parked as a dead letter and moved nothing."""


class Rejection(Record, frozen=True, tag=True):
    """The refusal of one command, with what the caller needs to act on it."""

    code: Code
    detail: str
    pointer: str | None = None
    """JSON Pointer to the member of the request that is to blame, where there is one."""
    index: int | None = None
    """Which transfer of a group stopped it."""
    same_payload: bool | None = None
    """For duplicates: whether the key was used for the same thing."""
    transfer: Transfer | None = None
    wallet: WalletState | None = None
    reservation: Reservation | None = None
    group_id: UUID | None = None
    dead_letter_id: UUID | None = None


#: The key is on the ledger: it refuses later commands by itself.
DUPLICATES: Final = frozenset(
    {
        Code.DUPLICATE_GROUP,
        Code.DUPLICATE_WALLET,
        Code.DUPLICATE_TRANSFER,
        Code.DUPLICATE_RESERVATION,
    }
)

#: A replay that its letter refused says nothing about the keys of its command: the caller's own
#: attempts must not meet that answer.
SILENT_ON_KEYS: Final = frozenset({Code.DEAD_LETTER_NOT_FOUND, Code.DEAD_LETTER_RESOLVED})

#: The word on every command that its deadline passed by, recorded or not.
TOO_LATE: Final = Rejection(
    Code.DEADLINE_EXCEEDED, "the command was not reached before its deadline"
)
