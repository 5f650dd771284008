"""The rules of a transfer: pure functions from a command and the locked books to a decision.

A ladder of guards in the contract's order of refusals; behind the last one there is nothing left
that can refuse, and the movement is written down.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

import msgspec

from ledger.books import Books
from ledger.commands import PostTransfer
from ledger.money import LIMIT_MINOR, exponent_of, format_minor, to_minor
from ledger.outcomes import TransferPosted
from ledger.records import Release, Reservation, Transfer, Wallet, WalletStatus, WalletType
from ledger.rejections import Code, Rejection

NewId = Callable[[], UUID]


class Movement(msgspec.Struct, frozen=True):
    """A transfer that was asked for, wallets looked up and amount in minor units."""

    command_id: UUID
    external_unique_id: str
    source: Wallet
    target: Wallet
    amount_minor: int
    currency: str | None = None
    session_id: str | None = None
    external_id: str | None = None
    description: str | None = None
    metadata: dict[str, str] = {}
    reversal_of: UUID | None = None
    group_id: UUID | None = None


def decide_transfer(
    command: PostTransfer,
    books: Books,
    command_id: UUID,
    new_id: NewId,
    group_id: UUID | None = None,
) -> TransferPosted | Rejection:
    """Post the transfer, or say which rule forbids it."""
    source, target = books.find(command.from_wallet), books.find(command.to_wallet)
    amount_minor = None
    if source is not None:
        amount_minor = to_minor(command.amount, exponent_of(source.currency))
        if amount_minor is None:
            return too_fine(source.currency)
    original = books.taken_transfers.get(command.external_unique_id)
    if original is not None:
        return duplicate_transfer(
            original,
            same_payload=source is not None
            and target is not None
            and original.from_wallet_id == source.wallet_id
            and original.to_wallet_id == target.wallet_id
            and original.amount_minor == amount_minor
            and original.session_id == command.session_id
            and original.reversal_of is None,
        )
    if source is None or amount_minor is None:
        return unknown_wallet(str(command.from_wallet), "fromWallet")
    if target is None:
        return unknown_wallet(str(command.to_wallet), "toWallet")
    movement = Movement(
        command_id=command_id,
        external_unique_id=command.external_unique_id,
        source=source,
        target=target,
        amount_minor=amount_minor,
        currency=command.currency,
        session_id=command.session_id,
        external_id=command.external_id,
        description=command.description,
        metadata=command.metadata,
        group_id=group_id,
    )
    return refuse_wallets(movement) or post(movement, books, new_id)


def refuse_wallets(movement: Movement) -> Rejection | None:
    """The guards that look at the two wallets and not at their money."""
    source, target = movement.source, movement.target
    if source.wallet_id == target.wallet_id:
        return Rejection(Code.SAME_WALLET, "a transfer needs two different wallets")
    if source.currency != target.currency:
        return Rejection(
            Code.CURRENCY_MISMATCH,
            f"the debit wallet is in {source.currency}, the credit wallet in {target.currency}",
        )
    if movement.currency not in (None, source.currency):
        return Rejection(
            Code.CURRENCY_MISMATCH,
            f"the wallets are in {source.currency}, the transfer says {movement.currency}",
            pointer="/currency",
        )
    for wallet in (source, target):
        if wallet.status is WalletStatus.CLOSED:
            return wallet_closed(wallet)
    if source.status is WalletStatus.FROZEN:
        return wallet_frozen(source)
    return None


def post(movement: Movement, books: Books, new_id: NewId) -> TransferPosted | Rejection:
    """The guards that look at the money, then the movement itself.

    A session's reservations are released first, whatever the transfer spends (rule 5); a refusal
    leaves them all in place, because nothing is applied.
    """
    source, target, amount_minor = movement.source, movement.target, movement.amount_minor
    spent: Sequence[Reservation] = ()
    freed_minor = 0
    if movement.session_id:
        spent = list(books.session(movement.session_id))
        freed_minor = sum(r.amount_minor for r in spent if r.wallet_id == source.wallet_id)
    from_sequence, from_balance = books.positions[source.wallet_id]
    to_sequence, to_balance = books.positions[target.wallet_id]
    reserved_minor = books.reserved.get(source.wallet_id, 0) - freed_minor
    if amount_minor > LIMIT_MINOR or to_balance + amount_minor > LIMIT_MINOR:
        return limit_exceeded(source.currency)
    refusal = refuse_funds(source, from_balance, reserved_minor, amount_minor)
    if refusal is not None:
        return refusal

    # The point of no return: from here on nothing refuses.
    return TransferPosted(
        Transfer(
            transfer_id=new_id(),
            command_id=movement.command_id,
            external_unique_id=movement.external_unique_id,
            from_wallet_id=source.wallet_id,
            to_wallet_id=target.wallet_id,
            amount_minor=amount_minor,
            currency=source.currency,
            created=books.at,
            from_sequence=from_sequence + 1,
            from_balance_minor=from_balance - amount_minor,
            to_sequence=to_sequence + 1,
            to_balance_minor=to_balance + amount_minor,
            session_id=movement.session_id,
            external_id=movement.external_id,
            description=movement.description,
            metadata=movement.metadata,
            reversal_of=movement.reversal_of,
            group_id=movement.group_id,
            released=tuple([release_of(r) for r in spent]) if spent else (),
        )
    )


def refuse_funds(
    wallet: Wallet, balance_minor: int, reserved_minor: int, amount_minor: int
) -> Rejection | None:
    """Rule 4, for debits and reservations alike."""
    if wallet.type is WalletType.SYSTEM:
        if balance_minor - reserved_minor - amount_minor < -LIMIT_MINOR:
            return limit_exceeded(wallet.currency)
        return None
    available_minor = balance_minor - (wallet.minimum_minor or 0) - reserved_minor
    if amount_minor <= available_minor:
        return None
    exponent = exponent_of(wallet.currency)
    return Rejection(
        Code.INSUFFICIENT_FUNDS,
        f"the available balance is {format_minor(available_minor, exponent)} {wallet.currency},"
        f" {format_minor(amount_minor, exponent)} is needed",
        pointer="/amount",
    )


def release_of(reservation: Reservation) -> Release:
    return Release(
        reservation_id=reservation.reservation_id,
        wallet_id=reservation.wallet_id,
        session_id=reservation.session_id,
        amount_minor=reservation.amount_minor,
        currency=reservation.currency,
    )


def duplicate_transfer(original: Transfer, *, same_payload: bool) -> Rejection:
    return Rejection(
        Code.DUPLICATE_TRANSFER,
        "a transfer with this externalUniqueId is on the ledger already; nothing was moved",
        same_payload=same_payload,
        transfer=original,
    )


def too_fine(currency: str, pointer: str = "/amount") -> Rejection:
    return Rejection(
        Code.INVALID_AMOUNT,
        f"{currency} amounts have at most {exponent_of(currency)} decimal places",
        pointer=pointer,
    )


def unknown_wallet(name: str, member: str) -> Rejection:
    return Rejection(Code.UNKNOWN_WALLET, f"there is no wallet {name} ({member})")


def wallet_closed(wallet: Wallet) -> Rejection:
    return Rejection(Code.WALLET_CLOSED, f"wallet {wallet.wallet_id} is closed for good")


def wallet_frozen(wallet: Wallet) -> Rejection:
    return Rejection(
        Code.WALLET_FROZEN,
        f"wallet {wallet.wallet_id} is frozen: no debits and no reservations until it is ACTIVE",
    )


def limit_exceeded(currency: str) -> Rejection:
    bound = format_minor(LIMIT_MINOR, exponent_of(currency))
    return Rejection(
        Code.LIMIT_EXCEEDED, f"amounts and balances stay within {bound} {currency} of zero"
    )
