"""Which lane a command goes to.

Commands that can be refused for one wallet's money go to one partition, so that they are decided in
the order in which the broker took them. The hash is ours and never changes: the broker's consistent
hashing may route a key elsewhere after a restart.
"""

from __future__ import annotations

import hashlib
from typing import assert_never

from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    DiscardDeadLetter,
    PlaceReservation,
    PostStagedBatch,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReplayDeadLetter,
    ReverseTransfer,
    WalletRef,
)
from ledger.deployment import Layout


def partition_of(command: Command, layout: Layout) -> int:
    """The partition of the wallet that may be refused."""
    digest = hashlib.blake2b(_lane_key(command), digest_size=8).digest()
    return int.from_bytes(digest, "big") % layout.partitions


def _lane_key(command: Command) -> bytes:
    match command:
        case PostTransfer(from_wallet=wallet):
            return _wallet_key(wallet)
        case PostTransferGroup(transfers=transfers):
            return _wallet_key(transfers[0].from_wallet)
        case PostStagedBatch(batch_id=batch_id):
            return batch_id.encode()
        case ReverseTransfer(from_wallet_id=wallet_id):
            return wallet_id.bytes
        case (
            PlaceReservation(wallet_id=wallet_id)
            | ReleaseReservation(wallet_id=wallet_id)
            | ReleaseSession(wallet_id=wallet_id)
            | ChangeWallet(wallet_id=wallet_id)
        ):
            return wallet_id.bytes
        case CreateWallet(external_unique_id=external_unique_id):
            return external_unique_id.encode()
        case ReplayDeadLetter(original=original):
            return _lane_key(original)
        case DiscardDeadLetter(dead_letter_id=dead_letter_id):
            return dead_letter_id.bytes
        case _:
            assert_never(command)


def _wallet_key(ref: WalletRef) -> bytes:
    # A wallet whose id nobody could look up is unknown, or being created on this very lane.
    return ref.wallet_id.bytes if ref.wallet_id else (ref.external_unique_id or "").encode()
