"""What a line of Eclipse's extract and a transfer of ours come to, and what to do then. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, NamedTuple
from uuid import UUID

from bank.reconciliation.extract import State
from ledger.money import exponent_of, to_minor


class Finding(StrEnum):
    """Kinds of differences."""

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT = "AMOUNT"
    WALLET = "WALLET"
    STATUS = "STATUS"
    LISTED_TWICE = "LISTED_TWICE"
    UNREADABLE = "UNREADABLE"


class There(NamedTuple):
    """A line, with the ids of the wallets that it names where there are such wallets. A tuple, as
    ``Here``, because there may be a million of them."""

    line: int
    key: str
    from_wallet: str
    to_wallet: str
    """As the line has them, ids or names."""
    from_id: UUID | None
    to_id: UUID | None
    amount: Decimal
    currency: str | None
    happened: datetime | None
    state: State
    first: bool = True
    """False: an earlier line has its key."""


class Here(NamedTuple):
    """A transfer."""

    transfer_id: UUID
    key: str
    from_id: UUID
    to_id: UUID
    amount_minor: int
    currency: str
    created: datetime
    reversed_minor: int = 0
    """How much of it was given back by now."""

    @property
    def is_reversed(self) -> bool:
        return self.reversed_minor >= self.amount_minor


def findings(there: There | None, here: Here | None) -> list[Finding]:
    """Everything that is different about the two, in order of weight; empty where they agree."""
    if there is None:
        return [Finding.MISSING_THERE]
    if not there.first:
        return [Finding.LISTED_TWICE]
    if here is None:
        return [Finding.MISSING_HERE] if there.state is State.DONE else []
    found = []
    if (there.from_id, there.to_id) != (here.from_id, here.to_id):
        found.append(Finding.WALLET)
    if not _same_amount(there, here):
        found.append(Finding.AMOUNT)
    if not _same_status(there.state, here):
        found.append(Finding.STATUS)
    return found


def _same_amount(there: There, here: Here) -> bool:
    if there.currency is not None and there.currency != here.currency:
        return False
    return to_minor(there.amount, exponent_of(here.currency)) == here.amount_minor


def _same_status(state: State, here: Here) -> bool:
    match state:
        case State.DONE:
            # Given back by a transfer of its own, with a key and a line of its own.
            return True
        case State.REVERSED:
            return here.is_reversed
        case State.OPEN | State.NOT_DONE:
            return False


_TO_DO: Final[Mapping[Finding, str]] = {
    Finding.MISSING_HERE: "It never moved here. Repeat Eclipse's call with this externalUniqueId"
    " and these values: it is posted once, or refused, and then has to be undone at Eclipse.",
    Finding.MISSING_THERE: "It moved here, and the extract does not have it. Look for it at Eclipse"
    " by its externalUniqueId, in the periods before and after too. If Eclipse never did it: POST"
    " /v1/transfers/{transferId}/reversals.",
    Finding.AMOUNT: "Both have it, with different amounts. What moved is what stands here. Where"
    " Eclipse is right: reverse it here and post the right amount under a new key; where we are:"
    " correct it at Eclipse.",
    Finding.WALLET: "Both have it, between different wallets. Where Eclipse is right: reverse it"
    " here and post it between the right wallets under a new key; where we are: correct it at"
    " Eclipse.",
    Finding.LISTED_TWICE: "The extract has this externalUniqueId on another line as well, and a"
    " key moves money once. Remove one at Eclipse, or find the key that the second one really has.",
    Finding.UNREADABLE: "The line could not be compared with anything. Correct it and send the"
    " extract again as a new reconciliation.",
}
_STATUS_TO_DO: Final[Mapping[State, str]] = {
    State.OPEN: "It moved here, and Eclipse still waits for it. Repeat Eclipse's call with this"
    " externalUniqueId: the answer is `duplicate-transfer` with the transfer, which settles it.",
    State.NOT_DONE: "It moved here, and Eclipse takes it for failed. Mark it as done at Eclipse, or"
    " give it back: POST /v1/transfers/{transferId}/reversals.",
    State.REVERSED: "Eclipse has reversed it, and here it still stands, wholly or in part. POST"
    " /v1/transfers/{transferId}/reversals, or undo the reversal at Eclipse.",
}


def to_do(finding: Finding, there: There | None) -> str:
    """For a person: the next step."""
    if finding is Finding.STATUS and there is not None:
        return _STATUS_TO_DO[there.state]
    return _TO_DO[finding]
