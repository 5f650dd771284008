"""What hypothesis may think of: intents with small numbers, made commands of when their turn comes.

The numbers point at what exists by then, so that an example stays meaningful while it is shrunk.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from hypothesis import strategies as st

from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    PlaceReservation,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReverseTransfer,
    WalletRef,
)
from ledger.records import WalletStatus, WalletType

NOBODY = UUID(int=7)
MICROSECOND = timedelta(microseconds=1)
SYSTEMS = ("system-ZAR", "system-JPY")
WALLETS = tuple(f"wallet-{n}" for n in range(7))


@dataclass(frozen=True)
class View:
    """What intents may point at."""

    now: datetime
    """When the batch will be decided."""
    wallets: dict[str, UUID]
    transfers: Sequence[tuple[UUID, UUID, UUID]]
    """Posted ones: id, debited and credited wallet."""
    reservations: Sequence[tuple[UUID, UUID]]
    """All there ever were: id and wallet."""

    def ref(self, name: str, *, by_name: bool) -> WalletRef:
        if by_name:
            return WalletRef(None, name)
        return WalletRef(self.wallets.get(name, NOBODY))


class Open(NamedTuple):
    name: str
    currency: str
    system: bool
    minimum: str

    def command(self, _: View) -> Command:
        kind = WalletType.SYSTEM if self.system else WalletType.STANDARD
        return CreateWallet(self.name, self.currency, kind, Decimal(self.minimum))


class Change(NamedTuple):
    name: str
    status: WalletStatus | None
    minimum: str | None

    def command(self, view: View) -> Command:
        minimum = None if self.minimum is None else Decimal(self.minimum)
        return ChangeWallet(view.wallets.get(self.name, NOBODY), self.status, minimum)


class Move(NamedTuple):
    source: str
    target: str
    amount: str
    key: int
    session: str | None
    by_name: bool
    currency: str | None

    def command(self, view: View) -> PostTransfer:
        return PostTransfer(
            view.ref(self.source, by_name=self.by_name),
            view.ref(self.target, by_name=self.by_name),
            Decimal(self.amount),
            f"key-{self.key:06}",
            self.currency,
            self.session,
        )


class MoveAll(NamedTuple):
    moves: list[Move]
    key: int | None

    def command(self, view: View) -> Command:
        members = tuple(move.command(view) for move in self.moves)
        return PostTransferGroup(members, None if self.key is None else f"group-{self.key}")


class GiveBack(NamedTuple):
    which: int
    amount: str | None
    key: int

    def command(self, view: View) -> Command:
        original, source, target = NOBODY, NOBODY, NOBODY
        if view.transfers:
            original, source, target = view.transfers[-1 - self.which % len(view.transfers)]
        amount = None if self.amount is None else Decimal(self.amount)
        return ReverseTransfer(original, target, source, f"key-{self.key:06}", amount)


class Hold(NamedTuple):
    name: str
    amount: str
    session: str
    expires_in: timedelta
    key: int
    currency: str | None

    def command(self, view: View) -> Command:
        return PlaceReservation(
            view.wallets.get(self.name, NOBODY),
            Decimal(self.amount),
            self.session,
            view.now + self.expires_in,
            f"hold-{self.key:06}",
            self.currency,
        )


class Release(NamedTuple):
    which: int
    elsewhere: str | None

    def command(self, view: View) -> Command:
        reservation, wallet = NOBODY, NOBODY
        if view.reservations:
            reservation, wallet = view.reservations[-1 - self.which % len(view.reservations)]
        if self.elsewhere is not None:
            wallet = view.wallets.get(self.elsewhere, NOBODY)
        return ReleaseReservation(wallet, reservation)


class ReleaseAll(NamedTuple):
    name: str
    session: str

    def command(self, view: View) -> Command:
        return ReleaseSession(view.wallets.get(self.name, NOBODY), self.session)


class Again(NamedTuple):
    """A command that was sent before, in this batch or earlier."""

    which: int
    as_new: bool
    """Under a new command id: a caller's retry. Else a redelivery."""


Intent = Open | Change | Move | MoveAll | GiveBack | Hold | Release | ReleaseAll | Again


class Sent(NamedTuple):
    """An intent on its way."""

    intent: Intent
    partition: int
    issued: timedelta | None
    """How long before the decision; None: at the very moment of the batch before."""
    deadline: timedelta
    """How long after the decision."""


_some = st.integers(0, 9) | st.integers(0, 999)
# Mostly what can succeed: a refusal says little about the money behind it.
_wallet = st.sampled_from([*WALLETS[:3] * 5, *(WALLETS[3],) * 3, WALLETS[4], SYSTEMS[0], *SYSTEMS])
_HUGE = ("900000000000000", "900000000000000.01", "90000000000000000")
_amount = st.sampled_from(
    [*("0.01", "1", "33", "50", "99.99", "100") * 3, "250", "0.5", "1.001", *_HUGE]
)
_session = st.sampled_from([f"session-{n}" for n in range(2)])
_maybe_currency = st.sampled_from([*(None,) * 8, "ZAR", "JPY"])
_minimum = st.sampled_from(["0", "0", "-50", "-100.5", "50", "900000000000000.01"])
_moves = st.builds(
    Move, _wallet, _wallet, _amount, _some, st.none() | _session, st.booleans(), _maybe_currency
)
_expires_in = st.sampled_from(
    [timedelta(0), MICROSECOND, *(timedelta(seconds=1),) * 3, timedelta(hours=1)]
    + [timedelta(days=30)] * 4
)
_changed_status = st.sampled_from([None, WalletStatus.ACTIVE, *WalletStatus])
_opened = st.sampled_from([*(WALLETS[3],) * 4, *WALLETS, *SYSTEMS])
_intents: list[tuple[int, st.SearchStrategy[Intent]]] = [
    (5, _moves),
    (3, st.builds(Again, st.integers(0, 30), st.booleans())),
    (4, st.builds(Hold, _wallet, _amount, _session, _expires_in, _some, _maybe_currency)),
    (2, st.builds(MoveAll, st.lists(_moves, min_size=1, max_size=4), st.none() | _some)),
    (2, st.builds(GiveBack, st.integers(0, 6), st.none() | _amount, _some)),
    (1, st.builds(Release, st.integers(0, 4), st.sampled_from([None, None, None, WALLETS[0]]))),
    (1, st.builds(ReleaseAll, _wallet, _session)),
    (2, st.builds(Change, _opened, _changed_status, st.none() | _minimum)),
    (
        1,
        st.builds(
            Open,
            _opened,
            st.sampled_from(["ZAR", "ZAR", "JPY", "USD", "XAU"]),
            st.sampled_from([False, False, False, True]),
            _minimum,
        ),
    ),
]


def _itself(intent: Intent) -> Intent:
    return intent


# ``one_of`` takes equal branches for one: each is made another by mapping it to itself.
_weighted = st.one_of(*(each.map(_itself) for weight, each in _intents for _ in range(weight)))
batches = st.lists(
    st.builds(
        Sent,
        _weighted,
        st.integers(0, 3),
        st.sampled_from(
            [MICROSECOND, MICROSECOND, None, timedelta(seconds=1), timedelta(minutes=30)]
        ),
        st.sampled_from(
            [timedelta(hours=1)] * 25 + [MICROSECOND, timedelta(0), -timedelta(minutes=1)]
        ),
    ),
    min_size=1,
    max_size=12,
)
#: None: to the very moment at which the next reservation expires.
steps = st.sampled_from([2 * MICROSECOND, timedelta(seconds=1), timedelta(hours=1), None, None])
