"""What a payout may become, whose word counts, and how its row is found again."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bank.payouts.approvals import DEFAULT, Objection, Person, needed, objection, tiers
from bank.payouts.references import LENGTH, bank_references, is_reference, new_reference, references
from bank.payouts.states import Event, State, sources, target

#: The money is reserved in these, and in no other.
HOLDING = set(State) - {State.REQUESTED, State.SETTLED, State.REJECTED, State.RETURNED}

STORIES = {
    "paid": ("REQUESTED", "RESERVED_FOR_APPROVAL APPROVED SUBMITTED TAKEN_IN DEBITED", "SETTLED"),
    "paid without a word": ("REQUESTED", "RESERVED SUBMITTED UNHEARD DEBITED", "SETTLED"),
    "there was no money": ("REQUESTED", "NOT_RESERVED", "REJECTED"),
    "the row was faster": ("SUBMITTING", "DEBITED", "SETTLED"),
    "returned": ("SETTLED", "CREDITED_BACK", "RETURNED"),
    "declined": ("AWAITING_APPROVAL", "DECLINED", "REJECTED"),
    "refused by the bank": ("SUBMITTING", "REFUSED", "REJECTED"),
    "the bank was away, then there": ("HELD", "SUBMITTED NOT_ASKED SUBMITTED", "SUBMITTING"),
    "nobody to pay, then somebody": ("HELD", "BENEFICIARY_MISSING RESUMED", "HELD"),
    "uploaded by hand": ("AWAITING_BENEFICIARY", "EXPORTED DEBITED", "SETTLED"),
    "paid by hand without a word to us": ("AWAITING_BENEFICIARY", "DEBITED", "SETTLED"),
    "the bank's authorisers slept": ("AWAITING_BANK", "LAPSED GIVEN_UP", "REJECTED"),
    "and woke up all the same": ("AWAITING_BANK", "LAPSED DEBITED", "SETTLED"),
    "paid after two people were sure": ("UNKNOWN", "GIVEN_UP DEBITED CREDITED_BACK", "RETURNED"),
    "its row was none": ("SETTLED", "NOT_MADE DEBITED", "SETTLED"),
    "its return was none": ("RETURNED", "NOT_RETURNED CREDITED_BACK", "RETURNED"),
}


@pytest.mark.parametrize("name", STORIES)
def test_stories(name: str) -> None:
    first, events, last = STORIES[name]
    state = State(first)
    for event in map(Event, events.split()):
        assert state in sources(event)
        state = target(event)
    assert state is State(last)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        ("UNKNOWN", "SUBMITTED"),  # never sent again by itself
        ("UNKNOWN", "NOT_ASKED"),
        ("UNKNOWN", "TAKEN_IN"),
        ("UNKNOWN", "REFUSED"),
        ("UNKNOWN", "CANCELLED"),
        ("AWAITING_BANK", "CANCELLED"),
        ("AWAITING_BANK", "SUBMITTED"),  # what was exported is not also sent
        ("AWAITING_BENEFICIARY", "SUBMITTED"),
        ("SUBMITTING", "CANCELLED"),
        ("SUBMITTING", "EXPORTED"),
        ("REQUESTED", "SUBMITTED"),
        ("AWAITING_APPROVAL", "SUBMITTED"),
        ("AWAITING_APPROVAL", "EXPORTED"),
        ("SETTLED", "GIVEN_UP"),
        ("SETTLED", "DEBITED"),
        ("REJECTED", "SUBMITTED"),
        ("RETURNED", "CREDITED_BACK"),
    ],
)
def test_what_cannot_happen(state: str, event: str) -> None:
    assert State(state) not in sources(Event(event))


def test_only_a_definite_word_gives_held_money_back() -> None:
    freeing = {
        event
        for event in Event
        for state in sources(event)
        if state in HOLDING and target(event) not in HOLDING
    }
    definite = {Event.DECLINED, Event.CANCELLED, Event.REFUSED, Event.GIVEN_UP, Event.DEBITED}
    assert freeing == definite


def test_the_bank_is_asked_from_one_state_alone() -> None:
    assert sources(Event.SUBMITTED) == {State.HELD}
    # And what the bank may have heard of never gets back there without its word.
    back = {event for event in Event if State.UNKNOWN in sources(event)}
    assert back == {Event.DEBITED, Event.GIVEN_UP}


@pytest.mark.parametrize(
    ("amount", "people"), [("0.01", 1), ("99999.99", 1), ("100000", 2), ("5000000", 2)]
)
def test_how_many_people(amount: str, people: int) -> None:
    assert needed(Decimal(amount), tiers(DEFAULT)) == people


def test_a_smaller_tier_that_asks_for_more_is_heeded() -> None:
    assert needed(Decimal(10), tiers("0:0, 5:3, 8:1")) == 3


@pytest.mark.parametrize("text", ["", "100:1", "0:1,x", "0:1;100:2", "0:-1", "0"])
def test_tiers_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ValueError, match="tier"):
        tiers(text)


def test_whose_word_counts() -> None:
    maker, twin = Person("k1", "anna"), Person("k2", "anna")
    ben, cora = Person("k3", "ben"), Person("k4", "cora")
    assert objection(maker, [], maker) is Objection.MADE_IT
    assert objection(maker, [], twin) is Objection.MADE_IT
    assert objection(maker, [ben], Person("k5", "ben")) is Objection.HAS_SPOKEN
    assert objection(maker, [ben], cora) is None


@given(st.text(max_size=26), st.sampled_from(["", " ", "-", "/"]), st.booleans())
def test_a_reference_is_found_in_what_the_bank_makes_of_it(
    before: str, between: str, lower: bool
) -> None:
    reference = new_reference()
    written = between.join(reference) if between else reference
    text = f"{before} {written.lower() if lower else written} thank you"
    assert reference in references(text)


def test_the_banks_own_reference_is_a_word_with_a_number() -> None:
    assert bank_references("returned ubp0012345678 Thandi 12345678 AB12") == ["UBP0012345678"]


def test_a_reference_that_was_cut_or_mistyped_is_none() -> None:
    reference = new_reference()
    assert len(reference) == LENGTH
    assert is_reference(reference)
    assert references(reference[:-1]) == []
    for at in range(2, LENGTH):
        # A digit for a digit, a letter for a letter: that the check digits always find.
        pair = "34" if reference[at].isdigit() else "BC"
        other = pair[reference[at] == pair[0]]
        assert references(reference[:at] + other + reference[at + 1 :]) == []
