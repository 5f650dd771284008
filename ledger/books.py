"""The part of the books that a batch needs, in memory, as the rules read it.

``execute`` loads it under the locks that make it true until COMMIT; each decision is applied to it
before the next command is looked at, so that a batch behaves like its commands one by one. The
rules only read it.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, assert_never
from uuid import UUID

from ledger.commands import WalletRef
from ledger.outcomes import (
    DeadLetterDiscarded,
    Effect,
    ReservationPlaced,
    ReservationsReleased,
    TransferGroupPosted,
    TransferPosted,
    WalletChanged,
    WalletCreated,
)
from ledger.records import Balance, Release, Reservation, Transfer, Wallet, WalletState
from ledger.rejections import Rejection


class KeySpace(NamedTuple):
    """An idempotency key in its space: the same text may be used once in each."""

    space: str
    key: str


WALLETS = "wallet"
TRANSFERS = "transfer"
RESERVATIONS = "reservation"
GROUPS = "group"


class Position(NamedTuple):
    """Where a wallet's entries have come to."""

    sequence: int
    balance_minor: int


class Refusal(NamedTuple):
    """The latest recorded refusal of a key."""

    decided: datetime
    rejection: Rejection


@dataclass(slots=True)
class Books:
    """One batch's view of the books at its decision time."""

    at: datetime
    wallets: dict[UUID, Wallet] = field(default_factory=dict)
    wallet_ids: dict[str, UUID] = field(default_factory=dict)
    """External id -> wallet id."""
    positions: dict[UUID, Position] = field(default_factory=dict)
    reservations: dict[UUID, Reservation] = field(default_factory=dict)
    """Live ones: all of the wallets in ``reserved``, and all of the sessions that are named."""
    sessions: dict[str, tuple[UUID, ...]] = field(default_factory=dict)
    """Session id -> its live reservations."""
    reserved: dict[UUID, int] = field(default_factory=dict)
    """Sum of live reservations, for every wallet whose available balance may be asked for."""
    taken_wallets: dict[str, WalletState] = field(default_factory=dict)
    taken_transfers: dict[str, Transfer] = field(default_factory=dict)
    taken_reservations: dict[str, Reservation] = field(default_factory=dict)
    taken_groups: dict[str, UUID] = field(default_factory=dict)
    refusals: dict[KeySpace, Refusal] = field(default_factory=dict)
    originals: dict[UUID, Transfer] = field(default_factory=dict)
    """Transfers that a reversal names."""
    reversed_minor: dict[UUID, int] = field(default_factory=dict)
    """How much of each original has been reversed."""
    letters: dict[UUID, UUID | None] = field(default_factory=dict)
    """Dead letters that a command names -> the command that resolved each, None while open."""

    def find(self, ref: WalletRef) -> Wallet | None:
        wallet_id = ref.wallet_id or self.wallet_ids.get(ref.external_unique_id or "")
        return None if wallet_id is None else self.wallets.get(wallet_id)

    def balance(self, wallet: Wallet) -> Balance:
        return Balance(
            current_minor=self.positions[wallet.wallet_id].balance_minor,
            reserved_minor=self.reserved.get(wallet.wallet_id, 0),
            minimum_minor=wallet.minimum_minor,
        )

    def state(self, wallet: Wallet) -> WalletState:
        return WalletState(wallet=wallet, balance=self.balance(wallet))

    def session(self, session_id: str, wallet_id: UUID | None = None) -> Iterator[Reservation]:
        """What the session still holds, on one wallet or on any."""
        # By id: what is told of it is hashed, and read back in that order.
        for reservation_id in sorted(self.sessions.get(session_id, ())):
            reservation = self.reservations[reservation_id]
            if wallet_id in (None, reservation.wallet_id):
                yield reservation

    def hold(self, reservation: Reservation) -> None:
        """Take a live reservation into the view."""
        self.reservations[reservation.reservation_id] = reservation
        held = self.sessions.get(reservation.session_id, ())
        self.sessions[reservation.session_id] = (*held, reservation.reservation_id)
        # The session may hold money on a wallet that this batch neither debits nor reserves.
        if reservation.wallet_id in self.reserved:
            self.reserved[reservation.wallet_id] += reservation.amount_minor

    def is_taken(self, key: KeySpace) -> bool:
        """Whether the key is on the ledger already."""
        taken: dict[str, Container[str]] = {
            WALLETS: self.taken_wallets,
            TRANSFERS: self.taken_transfers,
            RESERVATIONS: self.taken_reservations,
            GROUPS: self.taken_groups,
        }
        return key.key in taken[key.space]

    def fork(self) -> Books:
        """A copy that a group may change and throw away."""
        return Books(
            at=self.at,
            wallets=self.wallets,
            wallet_ids=self.wallet_ids,
            positions=self.positions.copy(),
            reservations=self.reservations.copy(),
            sessions=self.sessions.copy(),
            reserved=self.reserved.copy(),
            taken_transfers=self.taken_transfers.copy(),
            taken_groups=self.taken_groups,
            originals=self.originals,
            reversed_minor=self.reversed_minor,
        )

    def refuse(self, keys: Iterable[KeySpace], rejection: Rejection) -> None:
        """Make a refusal known to the commands that follow in the batch with one of its keys."""
        for key in keys:
            known = self.refusals.get(key)
            # Another partition's clock may be ahead.
            if known is None or known.decided <= self.at:
                self.refusals[key] = Refusal(self.at, rejection)

    def apply(self, effect: Effect) -> None:
        """Make the decision visible to the commands that follow in the batch."""
        match effect:
            case TransferPosted(transfer=transfer):
                self._post(transfer)
            case TransferGroupPosted(transfers=transfers):
                for transfer in transfers:
                    self._post(transfer)
                if effect.external_unique_id is not None:
                    self.taken_groups[effect.external_unique_id] = effect.group_id
            case ReservationPlaced(reservation=reservation):
                self.hold(reservation)
                self.taken_reservations[reservation.external_unique_id] = reservation
            case ReservationsReleased(released=released):
                self._release(released)
            case WalletCreated(state=state):
                wallet = state.wallet
                self.taken_wallets[wallet.external_unique_id] = state
                self.wallets[wallet.wallet_id] = wallet
                self.wallet_ids[wallet.external_unique_id] = wallet.wallet_id
                self.positions[wallet.wallet_id] = Position(0, 0)
                self.reserved[wallet.wallet_id] = 0
            case WalletChanged(state=state):
                self.wallets[state.wallet.wallet_id] = state.wallet
            case DeadLetterDiscarded():
                pass  # ``resolutions.resolve`` closes letters, those of replays too
            case _:
                assert_never(effect)

    def _post(self, transfer: Transfer) -> None:
        self._release(transfer.released)
        self.positions[transfer.from_wallet_id] = Position(
            transfer.from_sequence, transfer.from_balance_minor
        )
        self.positions[transfer.to_wallet_id] = Position(
            transfer.to_sequence, transfer.to_balance_minor
        )
        self.taken_transfers[transfer.external_unique_id] = transfer
        if transfer.reversal_of is not None:
            done = self.reversed_minor.get(transfer.reversal_of, 0)
            self.reversed_minor[transfer.reversal_of] = done + transfer.amount_minor

    def _release(self, released: Iterable[Release]) -> None:
        for release in released:
            del self.reservations[release.reservation_id]
            self.sessions[release.session_id] = tuple(
                r for r in self.sessions[release.session_id] if r != release.reservation_id
            )
            if release.wallet_id in self.reserved:
                self.reserved[release.wallet_id] -= release.amount_minor
