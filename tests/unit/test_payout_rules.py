"""What a payout may become, and whose word counts."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bank.payouts.approvals import DEFAULT, Objection, Person, needed, objection
from bank.payouts.states import FINAL, HOLDING, Event, Impossible, State, after

STORIES = {
    "paid": ("HELD", "APPROVALS_NEEDED APPROVED TAKEN_IN DEBITED", "SETTLED"),
    "paid without a word": ("HELD", "APPROVED UNHEARD DEBITED", "SETTLED"),
    "the row was faster": ("SUBMITTING", "DEBITED", "SETTLED"),
    "returned": ("SETTLED", "CREDITED_BACK", "RETURNED"),
    "declined": ("AWAITING_APPROVAL", "DECLINED", "REJECTED"),
    "refused by the bank": ("SUBMITTING", "REFUSED", "REJECTED"),
    "nobody to pay, then somebody": (
        "SUBMITTING",
        "BENEFICIARY_MISSING BENEFICIARY_FOUND TAKEN_IN",
        "AWAITING_BANK",
    ),
    "uploaded by hand": ("AWAITING_BENEFICIARY", "EXPORTED DEBITED", "SETTLED"),
    "the bank's authorisers slept": ("AWAITING_BANK", "LAPSED GIVEN_UP", "REJECTED"),
    "and woke up all the same": ("AWAITING_BANK", "LAPSED DEBITED", "SETTLED"),
}


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    first, events, last = STORIES[name]
    state = State(first)
    for event in events.split():
        state = after(state, Event(event))
    assert state is State(last)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("UNKNOWN", "APPROVED"),  # never sent again by itself
        ("UNKNOWN", "TAKEN_IN"),
        ("UNKNOWN", "CANCELLED"),
        ("AWAITING_BANK", "CANCELLED"),
        ("SUBMITTING", "CANCELLED"),
        ("SETTLED", "GIVEN_UP"),
        ("REJECTED", "DEBITED"),  # an exception for people, not a state
        ("RETURNED", "CREDITED_BACK"),
    ],
)
def test_what_cannot_happen(state: str, event: str) -> None:
    with pytest.raises(Impossible, match=event):
        after(State(state), Event(event))


def test_money_is_held_until_a_final_word() -> None:
    assert set(State) == HOLDING | FINAL | {State.SETTLED}


def test_nothing_leads_out_of_a_final_state() -> None:
    for state in FINAL:
        for event in Event:
            with pytest.raises(Impossible):
                after(state, event)


@pytest.mark.parametrize(
    ("amount", "people"), [("0.01", 1), ("99999.99", 1), ("100000", 2), ("5000000", 2)]
)
def test_how_many_people(amount: str, people: int) -> None:
    assert needed(Decimal(amount), DEFAULT) == people


def test_whose_word_counts() -> None:
    maker, twin = Person("k1", "anna"), Person("k2", "anna")
    ben, cora = Person("k3", "ben"), Person("k4", "cora")
    assert objection(maker, [], maker) is Objection.MADE_IT
    assert objection(maker, [], twin) is Objection.MADE_IT
    assert objection(maker, [ben], Person("k5", "ben")) is Objection.HAS_SPOKEN
    assert objection(maker, [ben], cora) is None
