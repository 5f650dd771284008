"""What one batch decided, collected so that each table is written once; a large batch is written in
slices, each like a batch of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, assert_never
from uuid import UUID

import msgspec

from ledger.books import Books, KeySpace, Position
from ledger.commands import Submission
from ledger.database import Queries
from ledger.decide import refused_keys
from ledger.lookup import DiscardDetail, GroupDetail, ReleaseDetail
from ledger.outcomes import (
    DeadLetterDiscarded,
    Outcome,
    ReservationPlaced,
    ReservationsReleased,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import Reservation, Transfer, Wallet
from ledger.rejections import Rejection
from ledger.sql import EXECUTE as SQL

_json = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Link:
    """What a slice adds to one partition's chain, and where its head comes to stand."""

    partition: int
    first_number: int
    last_number: int
    hash: bytes
    next_event: int


@dataclass(slots=True)
class Writes:
    """Everything one slice writes, collected in the order in which it was decided."""

    outcomes: list[Outcome] = field(default_factory=list)
    details: list[str | None] = field(default_factory=list)
    subjects: list[UUID | None] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    groups: list[tuple[UUID, UUID, str | None]] = field(default_factory=list)
    created: list[Wallet] = field(default_factory=list)
    changed: dict[UUID, Wallet] = field(default_factory=dict)
    placed: list[tuple[Reservation, UUID]] = field(default_factory=list)
    released: list[tuple[UUID, UUID]] = field(default_factory=list)
    refused: dict[KeySpace, tuple[int, int]] = field(default_factory=dict)
    """Key -> partition and number of the outcome that refused it last."""
    resolved: list[tuple[UUID, UUID]] = field(default_factory=list)
    """Dead letters, each with the command that resolved it."""
    touched: set[UUID] = field(default_factory=set)
    """Wallets whose balances are yet to be written, those of earlier slices of the batch too."""

    def add(self, submission: Submission, outcome: Outcome, books: Books) -> None:
        """Take a decision in; ``books`` as they are right after it."""
        subject_id, detail = self._add_result(submission, outcome, books)
        self.outcomes.append(outcome)
        self.subjects.append(subject_id)
        self.details.append(None if detail is None else _json.encode(detail).decode())

    def _add_result(
        self, submission: Submission, outcome: Outcome, books: Books
    ) -> tuple[UUID | None, msgspec.Struct | None]:
        """Collect the result's rows; answers the outcome's subject and detail."""
        match outcome.result:
            case TransferPosted(transfer=transfer):
                self._add_transfer(transfer)
                return transfer.transfer_id, None
            case TransferGroupPosted(group_id=group_id, transfers=transfers) as group:
                for transfer in transfers:
                    self._add_transfer(transfer)
                self.groups.append((group_id, outcome.command_id, group.external_unique_id))
                return group_id, GroupDetail(tuple(t.transfer_id for t in transfers))
            case ReservationPlaced(reservation=reservation):
                self.placed.append((reservation, outcome.command_id))
                return reservation.reservation_id, None
            case ReservationsReleased(wallet_id=wallet_id, released=released):
                self.released += [(r.reservation_id, outcome.command_id) for r in released]
                return outcome.command_id, ReleaseDetail(wallet_id)
            case WalletCreated(state=state):
                self.created.append(state.wallet)
                return state.wallet.wallet_id, state
            case WalletChanged(state=state):
                self.changed[state.wallet.wallet_id] = state.wallet
                return state.wallet.wallet_id, state
            case DeadLetterDiscarded(dead_letter_id=dead_letter_id, reason=reason):
                return dead_letter_id, DiscardDetail(reason)
            case Rejection() as rejection:
                self.refused |= {
                    key: (outcome.partition, outcome.number)
                    for key in refused_keys(submission, rejection, books)
                    # The books keep no NUL, so no later command can bring this key either.
                    if "\x00" not in key.key
                }
                return None, rejection
            case _:
                assert_never(outcome.result)

    def _add_transfer(self, transfer: Transfer) -> None:
        self.transfers.append(transfer)
        self.touched.add(transfer.from_wallet_id)
        self.touched.add(transfer.to_wallet_id)
        self.released += [(r.reservation_id, transfer.transfer_id) for r in transfer.released]

    async def flush(
        self, connection: Queries, layout: int, books: Books, links: Sequence[Link], *, last: bool
    ) -> None:
        """Write it all: the rare tables only where they have rows, then the rest at once. Balances
        are left to the ``last`` slice of a batch, so that every wallet's row changes once."""
        at = books.at
        # Taken before anything is awaited: the next slice is decided meanwhile, on the same books.
        posted = (
            [_movement(transfer) for transfer in self.transfers],
            *_balance_columns(self.touched if last else (), books.positions),
            self._decisions(),
            *_link_columns(links),
        )
        if self.created:
            await connection.fetch(SQL.create_wallets, *_wallet_columns(self.created), at)
        if self.changed:
            await connection.fetch(SQL.change_wallets, *_change_columns(self.changed))
        if self.placed:
            await connection.fetch(SQL.place_reservations, *_reservation_columns(self.placed), at)
        if self.released:
            await connection.fetch(SQL.release_reservations, *_columns(self.released), at)
        if self.groups:
            await connection.fetch(SQL.create_groups, *_columns(self.groups), at)
        if self.refused:
            rows = [(*key, *outcome) for key, outcome in sorted(self.refused.items())]
            await connection.fetch(SQL.refuse_keys, *_columns(rows), at)
        if self.resolved:
            await connection.fetch(SQL.resolve_letters, *_columns(self.resolved))
        await connection.fetch(SQL.post, *posted, at, layout)

    def _decisions(self) -> list[tuple[object, ...]]:
        """As the books' type ``decision`` has them."""
        return [
            (
                outcome.partition,
                outcome.number,
                outcome.command_id,
                type(outcome.result).__name__,
                subject_id,
                outcome.first_event,
                outcome.actor,
                detail,
            )
            for outcome, subject_id, detail in zip(
                self.outcomes, self.subjects, self.details, strict=True
            )
        ]


def _columns(rows: Sequence[tuple[Any, ...]]) -> tuple[Sequence[Any], ...]:
    return tuple(zip(*rows, strict=True))


def _text(metadata: Mapping[str, str]) -> str | None:
    return _json.encode(metadata).decode() if metadata else None


def _movement(transfer: Transfer) -> tuple[object, ...]:
    """As the books' type ``movement`` has it."""
    return (
        transfer.transfer_id,
        transfer.command_id,
        transfer.external_unique_id,
        transfer.from_wallet_id,
        transfer.to_wallet_id,
        transfer.amount_minor,
        transfer.from_sequence,
        transfer.to_sequence,
        transfer.from_balance_minor,
        transfer.to_balance_minor,
        transfer.currency,
        transfer.session_id,
        transfer.external_id,
        transfer.description,
        _text(transfer.metadata),
        transfer.reversal_of,
        transfer.group_id,
    )


def _balance_columns(
    touched: Collection[UUID], positions: Mapping[UUID, Position]
) -> tuple[Sequence[Any], ...]:
    """Where the wallets' balances have come to."""
    return (
        list(touched),
        [positions[w].balance_minor for w in touched],
        [positions[w].sequence for w in touched],
    )


def _wallet_columns(wallets: Sequence[Wallet]) -> tuple[Sequence[Any], ...]:
    return (
        [w.wallet_id for w in wallets],
        [w.external_unique_id for w in wallets],
        [w.reference for w in wallets],
        [w.type.value for w in wallets],
        [w.currency for w in wallets],
        [w.minimum_minor for w in wallets],
        [w.name for w in wallets],
        [_text(w.metadata) for w in wallets],
    )


def _change_columns(changed: Mapping[UUID, Wallet]) -> tuple[Sequence[Any], ...]:
    wallets = changed.values()
    return (
        list(changed),
        [w.status.value for w in wallets],
        [w.minimum_minor for w in wallets],
        [w.name for w in wallets],
        [_text(w.metadata) for w in wallets],
    )


def _reservation_columns(
    placed: Sequence[tuple[Reservation, UUID]],
) -> tuple[Sequence[Any], ...]:
    return (
        [r.reservation_id for r, _ in placed],
        [r.wallet_id for r, _ in placed],
        [r.external_unique_id for r, _ in placed],
        [r.session_id for r, _ in placed],
        [r.amount_minor for r, _ in placed],
        [r.currency for r, _ in placed],
        [r.expires for r, _ in placed],
        [command_id for _, command_id in placed],
        [r.description for r, _ in placed],
    )


def _link_columns(links: Sequence[Link]) -> tuple[Sequence[Any], ...]:
    return (
        [link.partition for link in links],
        [link.first_number for link in links],
        [link.last_number for link in links],
        [link.hash for link in links],
        [link.next_event for link in links],
    )
