"""Facts told to others: what each outcome emits, in which order.

Events are numbered per partition without gaps, apart from outcomes: a refusal emits nothing, so a
subscriber that sees a gap has missed something.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, assert_never

import msgspec

from ledger.outcomes import (
    DeadLetterDiscarded,
    Outcome,
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

Subject = Transfer | Reservation | Release | WalletState

_MERE_TRANSFER: Final = frozenset({"transfer.posted"})
_TYPES: Final = {
    TransferPosted.__name__: frozenset({"reservation.released", "transfer.posted"}),
    TransferGroupPosted.__name__: frozenset({"reservation.released", "transfer.posted"}),
    ReservationPlaced.__name__: frozenset({"reservation.placed"}),
    ReservationsReleased.__name__: frozenset({"reservation.released"}),
    WalletCreated.__name__: frozenset({"wallet.created"}),
    WalletChanged.__name__: frozenset({"wallet.changed"}),
}


class Event(msgspec.Struct, frozen=True):
    type: str
    number: int
    subject: Subject


def events_of(outcome: Outcome) -> list[Event]:
    """The outcome's events with their numbers; releases stand before what they made room for."""
    first = outcome.first_event
    if first is None:
        return []
    return [
        Event(kind, first + offset, subject)
        for offset, (kind, subject) in enumerate(_facts(outcome.result))
    ]


def types_of(kind: str, count: int | None) -> frozenset[str]:
    """Which types the events of an outcome of this kind can have, of which there are ``count``;
    None: that is not known."""
    if kind == TransferPosted.__name__ and count == 1:
        return _MERE_TRANSFER
    return _TYPES.get(kind, frozenset())


def event_count(result: Result) -> int:
    """How many events the result emits: as many as ``events_of`` makes of it."""
    match result:
        case TransferPosted(transfer=transfer):
            return 1 + len(transfer.released)
        case Rejection():
            return 0
        case _:
            return sum(1 for _ in _facts(result))


def _facts(result: Result) -> Iterator[tuple[str, Subject]]:
    match result:
        case TransferPosted(transfer=transfer):
            yield from _posted(transfer)
        case TransferGroupPosted(transfers=transfers):
            for transfer in transfers:
                yield from _posted(transfer)
        case ReservationPlaced(reservation=reservation):
            yield "reservation.placed", reservation
        case ReservationsReleased(released=released):
            for release in released:
                yield "reservation.released", release
        case WalletCreated(state=state):
            yield "wallet.created", state
        case WalletChanged(state=state):
            yield "wallet.changed", state
        case DeadLetterDiscarded() | Rejection():
            return
        case _:
            assert_never(result)


def _posted(transfer: Transfer) -> Iterator[tuple[str, Subject]]:
    for release in transfer.released:
        yield "reservation.released", release
    yield "transfer.posted", transfer
