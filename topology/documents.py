"""Records as JSON documents: what HTTP answers and event bodies look like (CONTRACT, "HTTP").

camelCase, amounts as decimal strings with the currency's digits, times in UTC with microseconds.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from ledger.events import Event, Subject
from ledger.money import exponent_of, format_minor
from ledger.records import Balance, Entry, Release, Reservation, Transfer, WalletState
from topology.command_ids import CommandIds

Document = dict[str, Any]


class Documents:
    """Writes records down; holds what a record does not say: how command ids look outside."""

    def __init__(self, command_ids: CommandIds) -> None:
        self._command_ids = command_ids

    def transfer(self, t: Transfer) -> Document:
        digits = exponent_of(t.currency)
        return {
            "transferId": str(t.transfer_id),
            "status": "POSTED",
            "fromWalletId": str(t.from_wallet_id),
            "toWalletId": str(t.to_wallet_id),
            "amount": format_minor(t.amount_minor, digits),
            "currency": t.currency,
            "externalUniqueId": t.external_unique_id,
            "externalId": t.external_id,
            "sessionId": t.session_id,
            "description": t.description,
            "metadata": t.metadata,
            "reversalOf": text(t.reversal_of),
            "groupId": text(t.group_id),
            "commandId": self._command_ids.token(t.command_id),
            "created": timestamp(t.created),
            "fromBalance": format_minor(t.from_balance_minor, digits),
            "toBalance": format_minor(t.to_balance_minor, digits),
            "releasedReservations": [
                {
                    "reservationId": str(r.reservation_id),
                    "amount": format_minor(r.amount_minor, exponent_of(r.currency)),
                }
                for r in t.released
            ],
        }

    def event(self, event: Event, partition: int, decided: datetime) -> Document:
        """The body of an event message. ``eventId`` is as unique as (partition, number)."""
        return {
            "eventId": f"{partition}-{event.number}",
            "type": event.type,
            "partition": partition,
            "number": event.number,
            "time": timestamp(decided),
            "data": self._subject(event.subject),
        }

    def _subject(self, subject: Subject) -> Document:
        match subject:
            case Transfer():
                return self.transfer(subject)
            case Reservation():
                return reservation(subject)
            case WalletState():
                return wallet(subject)
            case Release():
                return release(subject)


def wallet(state: WalletState) -> Document:
    w, b = state.wallet, state.balance
    digits = exponent_of(w.currency)
    return {
        "walletId": str(w.wallet_id),
        "externalUniqueId": w.external_unique_id,
        "name": w.name,
        "type": w.type.value,
        "status": w.status.value,
        "currency": w.currency,
        **_amounts(b, digits),
        "reference": w.reference,
        "created": timestamp(w.created),
        "metadata": w.metadata,
    }


def balance(wallet_id: object, currency: str, b: Balance, as_of: datetime) -> Document:
    return {
        "walletId": str(wallet_id),
        "currency": currency,
        **_amounts(b, exponent_of(currency)),
        "asOf": timestamp(as_of),
    }


def _amounts(b: Balance, digits: int) -> Document:
    return {
        "currentBalance": format_minor(b.current_minor, digits),
        "availableBalance": format_minor(b.available_minor, digits),
        "reservations": format_minor(b.reserved_minor, digits),
        "minimumBalance": (
            None if b.minimum_minor is None else format_minor(b.minimum_minor, digits)
        ),
    }


def entry(e: Entry, currency: str) -> Document:
    digits = exponent_of(currency)
    return {
        "entryId": f"{e.transfer_id}-{'debit' if e.amount_minor < 0 else 'credit'}",
        "walletId": str(e.wallet_id),
        "sequence": e.sequence,
        "transferId": str(e.transfer_id),
        "amount": format_minor(e.amount_minor, digits),
        "balance": format_minor(e.balance_minor, digits),
        "counterpartyWalletId": str(e.counterparty_wallet_id),
        "description": e.description,
        "externalUniqueId": e.external_unique_id,
        "externalId": e.external_id,
        "sessionId": e.session_id,
        "created": timestamp(e.created),
    }


def reservation(r: Reservation) -> Document:
    return {
        "reservationId": str(r.reservation_id),
        "walletId": str(r.wallet_id),
        "amount": format_minor(r.amount_minor, exponent_of(r.currency)),
        "currency": r.currency,
        "sessionId": r.session_id,
        "description": r.description,
        "expires": timestamp(r.expires),
        "created": timestamp(r.created),
        "externalUniqueId": r.external_unique_id,
    }


def release(r: Release) -> Document:
    return {
        "reservationId": str(r.reservation_id),
        "walletId": str(r.wallet_id),
        "sessionId": r.session_id,
        "amount": format_minor(r.amount_minor, exponent_of(r.currency)),
        "currency": r.currency,
    }


def timestamp(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    if moment.tzinfo is not UTC:
        moment = moment.astimezone(UTC)
    return moment.isoformat(timespec="microseconds")[: -len("+00:00")] + "Z"


def text(value: object) -> str | None:
    return None if value is None else str(value)
