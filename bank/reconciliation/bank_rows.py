"""What a row of the bank and a movement of its control wallet come to. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from enum import StrEnum
from typing import Any, Final, NamedTuple
from uuid import UUID

from bank.investec.records import SAST, bank_day
from bank.reconciliation.requests import Order
from topology.documents import Document


class Finding(StrEnum):
    """Kinds of differences with the bank."""

    MISSING_HERE = "MISSING_HERE"
    MISSING_THERE = "MISSING_THERE"
    AMOUNT = "AMOUNT"
    WALLET = "WALLET"
    BALANCE = "BALANCE"
    NOT_PROVEN = "NOT_PROVEN"
    GAP = "GAP"
    UNREADABLE = "UNREADABLE"


class Days(NamedTuple):
    """A period in the bank's days: a row counts from the beginning of its day on."""

    first: date
    stop: date
    """The first one that is not in it."""


def days_of(order: Order) -> Days:
    return Days(_first_day(order.period_from), _first_day(order.period_to))


def _first_day(moment: datetime) -> date:
    """The first day that begins at the moment or later."""
    day = bank_day(moment)
    begins = datetime.combine(day, time(), SAST)
    return day if begins >= moment else date.fromordinal(day.toordinal() + 1)


class Pair(NamedTuple):
    """A row and what moved for it, amounts as the bank sees them; or one of them alone. As the
    database tells it, its columns in this order; a tuple: there may be a million of them."""

    row_id: UUID | None
    posting_date: date | None
    posted_order: int | None
    description: str
    held: bool
    vanished: datetime | None
    decided: datetime | None
    wallet_id: UUID | None
    problem: str | None
    overdue: bool
    """It was stored so long ago that it should have been booked by now."""
    row_minor: int
    transfer_id: UUID | None
    key: str | None
    created: datetime | None
    other_wallet_id: UUID | None
    booking_minor: int | None
    """What its booking moved."""
    moved_minor: int
    """The same with what took it back, up to now."""
    posted_minor: int
    """What the bank shows of it by the moment."""
    booked_minor: int
    """What the books had of it by the moment."""

    @property
    def in_transit_minor(self) -> int:
        """What the books have more than the bank by the moment."""
        return self.booked_minor - self.posted_minor

    @property
    def is_ours_alone(self) -> bool:
        return self.row_id is None


def findings(pair: Pair) -> list[Finding]:
    """What is wrong with it by now, if it mattered by the moment. What is on its way is not."""
    if pair.is_ours_alone:
        return [Finding.MISSING_THERE] if pair.booked_minor else []
    if pair.vanished is not None:
        # Either it was booked and not taken back, or nothing of it is anywhere.
        return [Finding.MISSING_THERE] if pair.booked_minor and pair.moved_minor else []
    if not pair.posted_minor and not pair.booked_minor:
        return []
    if pair.booking_minor is None:
        # Nothing but what took back a booking that never was has moved under its key.
        is_odd = pair.transfer_id is None and pair.moved_minor != 0
        stuck = pair.held or pair.problem is not None or pair.overdue or is_odd
        return [Finding.MISSING_HERE] if stuck else []
    found = []
    if pair.other_wallet_id != pair.wallet_id:
        found.append(Finding.WALLET)
    if pair.moved_minor != pair.row_minor:
        found.append(Finding.AMOUNT)
    return found


def why_in_transit(pair: Pair) -> str:
    """For a person: what the row waits for, or what came of it since."""
    if pair.vanished is not None:
        word = "has still to be" if pair.moved_minor else "was"
        return f"the bank does not show it any more; its booking {word} taken back"
    if pair.created is not None and pair.posted_minor:
        if pair.booked_minor:
            return "booked with another amount by then"
        if not pair.moved_minor:
            return "its booking was taken back"
        return f"booked later, at {pair.created.isoformat(timespec='seconds')}"
    if pair.posted_minor == 0:
        return "booked before the day on which the bank posts it"
    if pair.held:
        return "held: it may be another row under a new guise"
    if pair.decided is None:
        return "nobody has decided yet whose it is"
    return pair.problem or "decided, and not booked yet"


def place_of(row: Mapping[str, Any]) -> Document:
    """Where a row stands in the statement."""
    return {
        "rowId": str(row["row_id"]),
        "postingDate": row["posting_date"].isoformat(),
        "postedOrder": row["posted_order"],
    }


_TO_DO: Final[Mapping[Finding, str]] = {
    Finding.MISSING_HERE: "The bank has posted it, and it is in no wallet. See ./sov bank"
    " exceptions for the row; without one, the bank process has not come to it: ./sov status.",
    Finding.AMOUNT: "Row and booking do not have the same amount, which the bank process never"
    " does: the row was changed in the database, or somebody else's transfer has its key. Look at"
    " the bank's own pages before anything is moved.",
    Finding.WALLET: "It was booked on another wallet than was decided, which the bank process never"
    " does: the row was changed in the database, or somebody else's transfer has its key. Once it"
    " is known which is right, a transfer brings the money there.",
    Finding.BALANCE: "The balance that the bank shows is not what its rows add up to: rows are"
    " missing, or were counted that the bank has taken back. Fetch the statement again over these"
    " days (./sov bank fetch) and resolve the exceptions.",
    Finding.NOT_PROVEN: "What the bank has is a sum of ours there, so that a missing row would not"
    " show. Hand in a statement that tells balances (MT940, CAMT.053, or CSV with its column), or"
    " hold the sum against the balance on the bank's own pages.",
    Finding.GAP: "Before this row one is missing, or is not what it was. Fetch the statement again"
    " (./sov bank fetch): the hole closes itself when the row comes. Where it stays, ask the bank;"
    " ./sov bank resolve once it is known why.",
    Finding.UNREADABLE: "It may be a row of these days, and nothing of it is stored or booked. Look"
    " for it on the bank's own pages and ask the bank for it; ./sov bank resolve once every row of"
    " theirs is here, or it is known to be none.",
}
_VANISHED_TO_DO: Final = (
    "The bank does not show the row any more, and its booking still stands. Where it does not come"
    " back by itself, two people take the booking back: ./sov suspense retract."
)
_OURS_ALONE_TO_DO: Final = (
    "It moved on the bank's control wallet, and no row of the bank stands behind it. Nobody but the"
    " bank process can move there: find the command that asked for it (commandId of GET"
    " /v1/transfers/{transferId}), and whether a statement is still to come that has its row."
)


def to_do(finding: Finding, pair: Pair | None) -> str:
    """For a person: the next step."""
    if finding is Finding.MISSING_THERE and pair is not None:
        return _OURS_ALONE_TO_DO if pair.is_ours_alone else _VANISHED_TO_DO
    return _TO_DO[finding]
