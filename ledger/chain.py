"""The hash chain over the outcome log: whoever changes a row later breaks it.

Each transaction adds a link per partition, a large one several: SHA-256 over the previous link and
the canonical form of the outcomes that it covers, in order. The canonical form is version 1 for
ever: a msgpack array of plain values, times as microseconds since 1970, ids as their 16 bytes,
absent values as nil. A new field of a record needs a new version, never a change of this one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
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

GENESIS: Final = bytes(32)

_VERSION: Final = 1
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_json = msgspec.json.Encoder()


def link(previous: bytes, outcomes: Iterable[Outcome]) -> bytes:
    """The next link: 32 bytes."""
    digest = hashlib.sha256(previous)
    for outcome in outcomes:
        digest.update(_encoder.encode(_outcome(outcome)))
    return digest.digest()


def _outcome(outcome: Outcome) -> tuple[object, ...]:
    return (
        _VERSION,
        outcome.partition,
        outcome.number,
        outcome.first_event,
        outcome.command_id,
        _micros(outcome.decided),
        outcome.actor,
        type(outcome.result).__name__,
        _result(outcome.result),
    )


def _result(result: Result) -> object:
    match result:
        case TransferPosted(transfer=transfer):
            return _transfer(transfer)
        case TransferGroupPosted():
            return (
                result.group_id,
                result.external_unique_id,
                [_transfer(t) for t in result.transfers],
            )
        case ReservationPlaced(reservation=reservation):
            return _reservation(reservation)
        case ReservationsReleased():
            return (result.wallet_id, _releases(result.released))
        case WalletCreated(state=state) | WalletChanged(state=state):
            return _state(state)
        case DeadLetterDiscarded():
            return (result.dead_letter_id, result.reason)
        case Rejection():
            # A refusal is stored as this very text, so the text is what is chained.
            return _json.encode(result)
        case _:
            assert_never(result)


def _transfer(t: Transfer) -> tuple[object, ...]:
    return (
        t.transfer_id,
        t.command_id,
        t.external_unique_id,
        t.from_wallet_id,
        t.from_sequence,
        t.from_balance_minor,
        t.to_wallet_id,
        t.to_sequence,
        t.to_balance_minor,
        t.amount_minor,
        t.currency,
        _micros(t.created),
        t.session_id,
        t.external_id,
        t.description,
        t.metadata,
        t.reversal_of,
        t.group_id,
        _releases(t.released),
    )


def _reservation(r: Reservation) -> tuple[object, ...]:
    return (
        r.reservation_id,
        r.wallet_id,
        r.amount_minor,
        r.currency,
        r.session_id,
        _micros(r.expires),
        _micros(r.created),
        r.external_unique_id,
        r.description,
    )


def _releases(released: Iterable[Release]) -> list[tuple[object, ...]]:
    return [
        (r.reservation_id, r.wallet_id, r.session_id, r.amount_minor, r.currency) for r in released
    ]


def _state(state: WalletState) -> tuple[object, ...]:
    w, b = state.wallet, state.balance
    return (
        w.wallet_id,
        w.external_unique_id,
        w.currency,
        w.type.value,
        w.status.value,
        w.minimum_minor,
        w.reference,
        _micros(w.created),
        w.name,
        w.metadata,
        b.current_minor,
        b.reserved_minor,
    )


@lru_cache(maxsize=128)
def _micros(moment: datetime) -> int:
    # Most of a batch's times are the same one.
    return (moment - _EPOCH) // _MICROSECOND
