"""The rules of reservations: money held for a session until it expires or is released."""

from __future__ import annotations

from ledger.books import Books
from ledger.commands import PlaceReservation, ReleaseReservation, ReleaseSession
from ledger.money import LIMIT_MINOR, exponent_of, to_minor
from ledger.outcomes import ReservationPlaced, ReservationsReleased
from ledger.records import Reservation, WalletStatus
from ledger.rejections import Code, Rejection
from ledger.transfers import (
    NewId,
    limit_exceeded,
    refuse_funds,
    release_of,
    too_fine,
    wallet_closed,
    wallet_frozen,
)
from ledger.wallets import wallet_not_found


def decide_reservation(
    command: PlaceReservation, books: Books, new_id: NewId
) -> ReservationPlaced | Rejection:
    """Hold the amount, or say which rule forbids it."""
    wallet = books.wallets.get(command.wallet_id)
    amount_minor = None
    if command.expires <= books.at:
        return Rejection(Code.INVALID_REQUEST, "expires is not in the future", pointer="/expires")
    if wallet is not None:
        amount_minor = to_minor(command.amount, exponent_of(wallet.currency))
        if amount_minor is None:
            return too_fine(wallet.currency)
    original = books.taken_reservations.get(command.external_unique_id)
    if original is not None:
        return _duplicate(original, command, amount_minor)
    if wallet is None or amount_minor is None:
        return wallet_not_found(command.wallet_id)
    if command.currency not in (None, wallet.currency):
        return Rejection(
            Code.CURRENCY_MISMATCH,
            f"the wallet is in {wallet.currency}, the reservation says {command.currency}",
            pointer="/currency",
        )
    if wallet.status is WalletStatus.CLOSED:
        return wallet_closed(wallet)
    if wallet.status is WalletStatus.FROZEN:
        return wallet_frozen(wallet)
    if amount_minor > LIMIT_MINOR:
        return limit_exceeded(wallet.currency)
    balance = books.balance(wallet)
    refusal = refuse_funds(wallet, balance.current_minor, balance.reserved_minor, amount_minor)
    if refusal is not None:
        return refusal

    # The point of no return: from here on nothing refuses.
    return ReservationPlaced(
        Reservation(
            reservation_id=new_id(),
            wallet_id=wallet.wallet_id,
            amount_minor=amount_minor,
            currency=wallet.currency,
            session_id=command.session_id,
            expires=command.expires,
            created=books.at,
            external_unique_id=command.external_unique_id,
            description=command.description,
        )
    )


def decide_release(command: ReleaseReservation, books: Books) -> ReservationsReleased | Rejection:
    """Give one reservation back; a released or expired one is not there any more."""
    if command.wallet_id not in books.wallets:
        return wallet_not_found(command.wallet_id)
    reservation = books.reservations.get(command.reservation_id)
    if reservation is None or reservation.wallet_id != command.wallet_id:
        return Rejection(
            Code.RESERVATION_NOT_FOUND,
            f"wallet {command.wallet_id} has no live reservation {command.reservation_id}",
        )
    return ReservationsReleased(command.wallet_id, (release_of(reservation),))


def decide_session_release(
    command: ReleaseSession, books: Books
) -> ReservationsReleased | Rejection:
    """Give back all that a session holds on the wallet; nothing held is an answer too."""
    if command.wallet_id not in books.wallets:
        return wallet_not_found(command.wallet_id)
    held = books.session(command.session_id, command.wallet_id)
    return ReservationsReleased(command.wallet_id, tuple(release_of(r) for r in held))


def _duplicate(
    original: Reservation, command: PlaceReservation, amount_minor: int | None
) -> Rejection:
    return Rejection(
        Code.DUPLICATE_RESERVATION,
        "a reservation with this externalUniqueId is on the ledger already; nothing was reserved",
        same_payload=original.wallet_id == command.wallet_id
        and original.amount_minor == amount_minor
        and original.session_id == command.session_id
        and original.expires == command.expires,
        reservation=original,
    )
