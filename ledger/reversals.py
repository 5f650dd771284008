"""Giving a transfer back, whole or in part: a transfer the other way that names its original."""

from __future__ import annotations

from uuid import UUID

from ledger.books import Books
from ledger.commands import ReverseTransfer
from ledger.money import exponent_of, format_minor, to_minor
from ledger.outcomes import TransferPosted
from ledger.records import Transfer
from ledger.rejections import Code, Rejection
from ledger.transfers import (
    Movement,
    NewId,
    duplicate_transfer,
    post,
    refuse_wallets,
    too_fine,
)


def decide_reversal(
    command: ReverseTransfer, books: Books, command_id: UUID, new_id: NewId
) -> TransferPosted | Rejection:
    """Post the reversal, or say which rule forbids it.

    All reversals of a transfer together never exceed it, and a reversal cannot be reversed: who
    wants the money to move again posts a new transfer.
    """
    original = books.originals.get(command.transfer_id)
    if original is None:
        return Rejection(
            Code.TRANSFER_NOT_FOUND, f"there is no transfer {command.transfer_id} to reverse"
        )
    if (command.from_wallet_id, command.to_wallet_id) != (
        original.to_wallet_id,
        original.from_wallet_id,
    ):
        # A defect of the producer: the reservations of the wallet to debit were not looked at.
        raise ValueError(f"the reversal of {original.transfer_id} names other wallets than it")
    exponent = exponent_of(original.currency)
    asked_minor = None if command.amount is None else to_minor(command.amount, exponent)
    if command.amount is not None and asked_minor is None:
        return too_fine(original.currency)
    earlier = books.taken_transfers.get(command.external_unique_id)
    if earlier is not None:
        same = earlier.reversal_of == original.transfer_id
        return duplicate_transfer(
            earlier, same_payload=same and asked_minor in (None, earlier.amount_minor)
        )
    left_minor = original.amount_minor - books.reversed_minor.get(original.transfer_id, 0)
    movement = Movement(
        command_id=command_id,
        external_unique_id=command.external_unique_id,
        source=books.wallets[original.to_wallet_id],
        target=books.wallets[original.from_wallet_id],
        amount_minor=left_minor if asked_minor is None else asked_minor,
        description=command.description,
        reversal_of=original.transfer_id,
    )
    return (
        refuse_wallets(movement)
        or _refuse_excess(original, movement.amount_minor, left_minor)
        or post(movement, books, new_id)
    )


def _refuse_excess(original: Transfer, amount_minor: int, left_minor: int) -> Rejection | None:
    if original.reversal_of is not None:
        return Rejection(
            Code.REVERSAL_EXCEEDS_ORIGINAL,
            f"transfer {original.transfer_id} is itself a reversal and cannot be reversed",
        )
    if 0 < amount_minor <= left_minor:
        return None
    left = format_minor(left_minor, exponent_of(original.currency))
    return Rejection(
        Code.REVERSAL_EXCEEDS_ORIGINAL,
        f"{left} {original.currency} of transfer {original.transfer_id} can still be reversed",
    )
