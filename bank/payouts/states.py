"""What a payout may become, and by what. Pure.

    HELD                  the money is reserved; nothing else has happened
    AWAITING_APPROVAL     people have to agree, as many as its amount needs
    AWAITING_BENEFICIARY  the bank has nobody of that name whom it would pay; held until it has
    SUBMITTING            about to be asked for, or being asked for at this moment
    AWAITING_BANK         the bank took it in; its row has not been posted yet
    UNKNOWN               asked for, and no answer understood: never asked for again by itself
    SETTLED               the bank's debit row is there, and the money has left the wallet
    REJECTED              it will not happen; the money is free again
    RETURNED              it happened and came back; the money is in the wallet again

The bank has no idempotency key, so whatever was asked for once is looked for in the statement and
not asked for again. Held money is given back only by a definite word: the bank's refusal, or two
people's.
"""

from __future__ import annotations

from enum import Enum
from typing import Final


class State(Enum):
    HELD = "HELD"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    AWAITING_BENEFICIARY = "AWAITING_BENEFICIARY"
    SUBMITTING = "SUBMITTING"
    AWAITING_BANK = "AWAITING_BANK"
    UNKNOWN = "UNKNOWN"
    SETTLED = "SETTLED"
    REJECTED = "REJECTED"
    RETURNED = "RETURNED"


class Event(Enum):
    APPROVALS_NEEDED = "APPROVALS_NEEDED"
    APPROVED = "APPROVED"
    """By everybody whom it needed."""
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    """By its maker or an operator, before anything was asked of the bank."""
    BENEFICIARY_MISSING = "BENEFICIARY_MISSING"
    BENEFICIARY_FOUND = "BENEFICIARY_FOUND"
    EXPORTED = "EXPORTED"
    """Written into a payment file that a person uploads to the bank."""
    TAKEN_IN = "TAKEN_IN"
    REFUSED = "REFUSED"
    """By the bank, definitely."""
    UNHEARD = "UNHEARD"
    """No answer, one that cannot be read, or the process ended while it asked."""
    DEBITED = "DEBITED"
    """Its row is in the statement."""
    LAPSED = "LAPSED"
    """The bank's own authorisers had their time."""
    GIVEN_UP = "GIVEN_UP"
    """Two people have made sure that the bank did not and will not pay it."""
    CREDITED_BACK = "CREDITED_BACK"
    """A row that undoes its own is in the statement."""


#: Whatever is not here cannot happen, and asking for it is a conflict.
_STEPS: Final[dict[State, dict[Event, State]]] = {
    State.HELD: {
        Event.APPROVALS_NEEDED: State.AWAITING_APPROVAL,
        Event.APPROVED: State.SUBMITTING,
        Event.CANCELLED: State.REJECTED,
    },
    State.AWAITING_APPROVAL: {
        Event.APPROVED: State.SUBMITTING,
        Event.DECLINED: State.REJECTED,
        Event.CANCELLED: State.REJECTED,
    },
    State.SUBMITTING: {
        Event.BENEFICIARY_MISSING: State.AWAITING_BENEFICIARY,
        Event.TAKEN_IN: State.AWAITING_BANK,
        Event.REFUSED: State.REJECTED,
        Event.UNHEARD: State.UNKNOWN,
        # Faster than our own record of the answer.
        Event.DEBITED: State.SETTLED,
    },
    State.AWAITING_BENEFICIARY: {
        Event.BENEFICIARY_FOUND: State.SUBMITTING,
        Event.EXPORTED: State.AWAITING_BANK,
        Event.CANCELLED: State.REJECTED,
    },
    State.AWAITING_BANK: {
        Event.DEBITED: State.SETTLED,
        # No word of the bank's: a row may still come.
        Event.LAPSED: State.UNKNOWN,
        Event.GIVEN_UP: State.REJECTED,
    },
    State.UNKNOWN: {
        Event.DEBITED: State.SETTLED,
        Event.GIVEN_UP: State.REJECTED,
    },
    State.SETTLED: {
        Event.CREDITED_BACK: State.RETURNED,
    },
    State.REJECTED: {},
    State.RETURNED: {},
}
#: The money is reserved in these, and in no other.
HOLDING: Final = frozenset(
    {
        State.HELD,
        State.AWAITING_APPROVAL,
        State.AWAITING_BENEFICIARY,
        State.SUBMITTING,
        State.AWAITING_BANK,
        State.UNKNOWN,
    }
)
FINAL: Final = frozenset({State.REJECTED, State.RETURNED})


class Impossible(Exception):
    """The payout is not in a state in which that can happen."""

    def __init__(self, state: State, event: Event) -> None:
        super().__init__(f"{event.value} cannot happen to a payout that is {state.value}")
        self.state, self.event = state, event


def after(state: State, event: Event) -> State:
    """Raises ``Impossible``."""
    follows = _STEPS[state].get(event)
    if follows is None:
        raise Impossible(state, event)
    return follows
