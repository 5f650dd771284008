"""What a payout may become, and by what. Pure.

    REQUESTED             stored; whether its money could be reserved is not known yet
    AWAITING_APPROVAL     the money is reserved; people have to agree, as many as its amount needs
    HELD                  the money is reserved and everybody has agreed: the bank is asked next
    AWAITING_BENEFICIARY  the bank has nobody like that whom it would pay; held until people act
    SUBMITTING            being asked for at this moment; written down before the bank hears of it
    AWAITING_BANK         the bank has it, or a person does who uploads a file: no debit row yet
    UNKNOWN               asked for, and no answer understood: never asked for again by itself
    SETTLED               the bank's debit row is there, and the money has left the wallet
    REJECTED              it will not happen; the money is free again
    RETURNED              it happened and came back; the money is in the wallet, or in suspense
                          where the wallet could not take it

Held money is given back only by a definite word. What the bank has paid is booked in every state:
that money is gone, whatever was believed before.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class State(StrEnum):
    REQUESTED = "REQUESTED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    HELD = "HELD"
    AWAITING_BENEFICIARY = "AWAITING_BENEFICIARY"
    SUBMITTING = "SUBMITTING"
    AWAITING_BANK = "AWAITING_BANK"
    UNKNOWN = "UNKNOWN"
    SETTLED = "SETTLED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"


class Event(StrEnum):
    RESERVED = "RESERVED"
    """And nobody needs to agree."""
    RESERVED_FOR_APPROVAL = "RESERVED_FOR_APPROVAL"
    NOT_RESERVED = "NOT_RESERVED"
    """The ledger refused to hold the money."""
    APPROVED = "APPROVED"
    """By everybody whom it needed."""
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    """Before anything was asked of the bank."""
    SUBMITTED = "SUBMITTED"
    BENEFICIARY_MISSING = "BENEFICIARY_MISSING"
    RESUMED = "RESUMED"
    """Somebody says that the beneficiary is there now, and that nothing was paid by hand."""
    EXPORTED = "EXPORTED"
    """Written into a payment file that a person uploads to the bank."""
    NOT_ASKED = "NOT_ASKED"
    """The bank was certainly not reached: it may be asked again."""
    TAKEN_IN = "TAKEN_IN"
    REFUSED = "REFUSED"
    """By the bank, definitely."""
    UNHEARD = "UNHEARD"
    """No answer, one that cannot be read, or the process ended while it asked."""
    LAPSED = "LAPSED"
    """The bank's own authorisers had their time. No word of the bank's: a row may still come."""
    GIVEN_UP = "GIVEN_UP"
    """Two people have made sure that the bank did not and will not pay it."""
    DEBITED = "DEBITED"
    """Its row is in the statement."""
    CREDITED_BACK = "CREDITED_BACK"
    """A row that undoes its own is in the statement."""
    NOT_MADE = "NOT_MADE"
    """Its row has vanished, and two people have taken its booking back."""
    NOT_RETURNED = "NOT_RETURNED"
    """The same of the row that undid its own."""


#: Each event: where it leads, and from where. Whatever is not here cannot happen, and asking for it
#: is a conflict.
_STEPS: Final[dict[Event, tuple[State, frozenset[State]]]] = {
    event: (after, frozenset(before))
    for event, after, before in (
        (Event.RESERVED, State.HELD, {State.REQUESTED}),
        (Event.RESERVED_FOR_APPROVAL, State.AWAITING_APPROVAL, {State.REQUESTED}),
        (Event.NOT_RESERVED, State.REJECTED, {State.REQUESTED}),
        (Event.APPROVED, State.HELD, {State.AWAITING_APPROVAL}),
        (
            Event.DECLINED,
            State.REJECTED,
            {State.AWAITING_APPROVAL, State.HELD, State.AWAITING_BENEFICIARY},
        ),
        (
            Event.CANCELLED,
            State.REJECTED,
            {State.AWAITING_APPROVAL, State.HELD, State.AWAITING_BENEFICIARY},
        ),
        (Event.SUBMITTED, State.SUBMITTING, {State.HELD}),
        (Event.BENEFICIARY_MISSING, State.AWAITING_BENEFICIARY, {State.HELD}),
        (Event.RESUMED, State.HELD, {State.AWAITING_BENEFICIARY}),
        (Event.EXPORTED, State.AWAITING_BANK, {State.HELD, State.AWAITING_BENEFICIARY}),
        (Event.NOT_ASKED, State.HELD, {State.SUBMITTING}),
        (Event.TAKEN_IN, State.AWAITING_BANK, {State.SUBMITTING}),
        (Event.REFUSED, State.REJECTED, {State.SUBMITTING}),
        (Event.UNHEARD, State.UNKNOWN, {State.SUBMITTING}),
        (Event.LAPSED, State.UNKNOWN, {State.AWAITING_BANK}),
        (Event.GIVEN_UP, State.REJECTED, {State.AWAITING_BANK, State.UNKNOWN}),
        (
            Event.DEBITED,
            State.SETTLED,
            set(State) - {State.SETTLED, State.RETURNED},
        ),
        (Event.CREDITED_BACK, State.RETURNED, {State.SETTLED}),
        (Event.NOT_MADE, State.REJECTED, {State.SETTLED}),
        (Event.NOT_RETURNED, State.SETTLED, {State.RETURNED}),
    )
}
#: In these the bank may be about to pay it, or have paid it, as far as we know.
WITH_THE_BANK: Final = frozenset(
    {State.AWAITING_BENEFICIARY, State.SUBMITTING, State.AWAITING_BANK, State.UNKNOWN}
)


def target(event: Event) -> State:
    """Where it leads."""
    return _STEPS[event][0]


def sources(event: Event) -> frozenset[State]:
    """Where it can happen."""
    return _STEPS[event][1]
