"""The ledger's answers in the words of the model: keys instead of the ids it made up."""

from __future__ import annotations

from typing import assert_never
from uuid import UUID

from ledger.outcomes import (
    DeadLetterDiscarded,
    ReservationPlaced,
    ReservationsReleased,
    Result,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import Release, Reservation, Transfer, WalletState
from ledger.rejections import Rejection
from tests.simulation.model_books import Answer, Row

Names = dict[UUID, str]


def learn(result: Result, names: Names) -> None:
    """Take down the ids that an answer gives out, with the keys they stand for."""
    match result:
        case WalletCreated(state=state):
            names[state.wallet.wallet_id] = state.wallet.external_unique_id
        case TransferPosted(transfer=transfer):
            names[transfer.transfer_id] = transfer.external_unique_id
        case TransferGroupPosted(transfers=transfers):
            names.update({t.transfer_id: t.external_unique_id for t in transfers})
        case ReservationPlaced(reservation=reservation):
            names[reservation.reservation_id] = reservation.external_unique_id
        case _:
            pass


def in_words(result: Result, names: Names) -> Answer:
    """The answer as ``Model.judge`` foretells it."""
    kind = type(result).__name__
    match result:
        case WalletCreated(state=state) | WalletChanged(state=state):
            held = state.balance.reserved_minor
            return {"kind": kind, "wallet": _key(state), "state": _state(state), "reserved": held}
        case TransferPosted(transfer=transfer):
            return _transfer(transfer, names)
        case TransferGroupPosted(transfers=transfers, external_unique_id=key):
            members = [_transfer(t, names) for t in transfers]
            return {"kind": kind, "key": key, "transfers": members}
        case ReservationPlaced(reservation=reservation):
            return {"kind": kind, **_reservation(reservation, names)}
        case ReservationsReleased(wallet_id=wallet_id, released=released):
            return {"kind": kind, "wallet": names[wallet_id], "released": _amounts(released, names)}
        case Rejection():
            return {"kind": kind, **_rejection(result)}
        case DeadLetterDiscarded():
            raise NotImplementedError("no intent discards a dead letter")
        case _:
            assert_never(result)


def _rejection(rejection: Rejection) -> Row:
    words: Row = {"code": rejection.code.value, "index": rejection.index}
    if rejection.same_payload is not None:
        words["same"] = rejection.same_payload
    if rejection.transfer is not None:
        words["original"] = rejection.transfer.external_unique_id
    if rejection.reservation is not None:
        words["original"] = rejection.reservation.external_unique_id
    if rejection.wallet is not None:
        words |= {"original": _key(rejection.wallet), "state": _state(rejection.wallet)}
    return words


def _key(state: WalletState) -> str:
    return state.wallet.external_unique_id


def _state(state: WalletState) -> Row:
    wallet = state.wallet
    return {
        "currency": wallet.currency,
        "type": wallet.type.value,
        "status": wallet.status.value,
        "minimum": wallet.minimum_minor,
        "balance": state.balance.current_minor,
    }


def _transfer(transfer: Transfer, names: Names) -> Answer:
    original = transfer.reversal_of
    return {
        "kind": "TransferPosted",
        "key": transfer.external_unique_id,
        "from": names[transfer.from_wallet_id],
        "to": names[transfer.to_wallet_id],
        "amount": transfer.amount_minor,
        "currency": transfer.currency,
        "session": transfer.session_id,
        "reversal_of": None if original is None else names[original],
        "created": transfer.created,
        "from_entry": (transfer.from_sequence, transfer.from_balance_minor),
        "to_entry": (transfer.to_sequence, transfer.to_balance_minor),
        "released": _amounts(transfer.released, names),
    }


def _reservation(reservation: Reservation, names: Names) -> Row:
    return {
        "key": reservation.external_unique_id,
        "wallet": names[reservation.wallet_id],
        "amount": reservation.amount_minor,
        "session": reservation.session_id,
        "expires": reservation.expires,
        "released": False,
        "created": reservation.created,
    }


def _amounts(released: tuple[Release, ...], names: Names) -> Row:
    return {names[r.reservation_id]: r.amount_minor for r in released}
