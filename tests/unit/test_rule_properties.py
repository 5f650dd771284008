"""Properties of the rules under any sequence of commands: what no table of cases can promise."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from ledger.commands import (
    Command,
    PlaceReservation,
    PostTransferGroup,
    ReleaseSession,
)
from ledger.events import event_count, events_of, types_of
from ledger.outcomes import Outcome, TransferGroupPosted, TransferPosted
from ledger.rejections import Rejection
from tests.unit.rulebooks import NOW, RuleBooks, name_id, transfer

NAMES = ("one", "two", "three")
SESSIONS = ("session-1", "session-2")

amounts = st.sampled_from(["0.01", "1.00", "33.33", "99.99", "100.00", "250.00"])
keys = st.sampled_from([f"key-{n:06}" for n in range(12)])
transfers = st.builds(
    transfer,
    st.sampled_from([*NAMES, "system"]),
    st.sampled_from([*NAMES, "system"]),
    amounts,
    keys,
    session_id=st.none() | st.sampled_from(SESSIONS),
)
commands: st.SearchStrategy[Command] = st.one_of(
    transfers,
    st.builds(PostTransferGroup, st.lists(transfers, min_size=1, max_size=4).map(tuple)),
    st.builds(
        PlaceReservation,
        st.sampled_from(NAMES).map(name_id),
        amounts.map(Decimal),
        st.sampled_from(SESSIONS),
        st.just(NOW + timedelta(hours=1)),
        keys,
    ),
    st.builds(ReleaseSession, st.sampled_from(NAMES).map(name_id), st.sampled_from(SESSIONS)),
)


@given(st.lists(commands, max_size=30))
def test_money_is_conserved_and_nobody_goes_below_the_limit(sequence: list[Command]) -> None:
    books = RuleBooks()
    for name in NAMES:
        books.wallet(name, "100.00")
    books.wallet("system", "-300.00", type="SYSTEM")
    moved: set[str] = set()
    for command in sequence:
        before = dict(books.books.positions)
        result = books.decide(command)
        view = books.books
        assert sum(p.balance_minor for p in view.positions.values()) == 0
        for name in NAMES:
            assert view.balance(view.wallets[name_id(name)]).available_minor >= 0
        for wallet_id in view.wallets:
            held = [r for r in view.reservations.values() if r.wallet_id == wallet_id]
            assert view.reserved[wallet_id] == sum(r.amount_minor for r in held)
        if isinstance(result, Rejection):
            assert view.positions == before
        posted = (
            (result.transfer,)
            if isinstance(result, TransferPosted)
            else result.transfers
            if isinstance(result, TransferGroupPosted)
            else ()
        )
        for each in posted:
            assert each.external_unique_id not in moved
            moved.add(each.external_unique_id)


@given(st.lists(commands, max_size=10))
def test_as_many_events_as_counted(sequence: list[Command]) -> None:
    books = RuleBooks()
    for name in NAMES:
        books.wallet(name, "100.00")
    books.wallet("system", type="SYSTEM")
    for command in sequence:
        result = books.decide(command)
        count = event_count(result)
        first = 7 if count else None
        outcome = Outcome(name_id("command"), 0, 1, NOW, result, "key-1", first)
        events = events_of(outcome)
        assert [event.number for event in events] == list(range(7, 7 + count))
        kind = type(result).__name__
        assert {e.type for e in events} <= types_of(kind, count) <= types_of(kind, None)


@given(st.lists(commands, max_size=12))
def test_deciding_without_applying_changes_nothing(sequence: list[Command]) -> None:
    books = RuleBooks()
    for name in NAMES:
        books.wallet(name, "100.00")
    books.wallet("system", type="SYSTEM")
    for command in sequence:
        positions, reserved = dict(books.books.positions), dict(books.books.reserved)
        books.decide(command, apply=False)
        assert books.books.positions == positions
        assert books.books.reserved == reserved
        assert not books.books.taken_transfers
