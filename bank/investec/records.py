"""What the bank says, once it is read. Amounts are in the account's currency, never negative: the
direction carries the sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Final

#: South African Standard Time, which has no summer. The bank's dates are days of it (nowhere
#: written; it has no other clock).
SAST: Final = timezone(timedelta(hours=2), "SAST")
#: Thirteen digits before the point are what the specification has room for.
_TOO_MUCH: Final = Decimal(10) ** 13


class Direction(Enum):
    """Which way money went, as seen from the account."""

    CREDIT = "CREDIT"
    DEBIT = "DEBIT"


class RowStatus(Enum):
    POSTED = "POSTED"
    PENDING = "PENDING"


@dataclass(frozen=True, slots=True)
class Account:
    account_id: str
    number: str
    name: str
    product: str
    profile_id: str | None


@dataclass(frozen=True, slots=True)
class Balance:
    account_id: str
    current: Decimal
    available: Decimal
    currency: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row of an account's statement. Dates have no time and no zone: they are South Africa's."""

    account_id: str
    direction: Direction
    status: RowStatus
    amount: Decimal
    description: str
    """At most 40 characters, and all that there is: no payer, no separate reference."""
    transaction_type: str | None
    posted_order: int
    """Its place among the posted rows; 0 until it is settled, and not final before that."""
    posting_date: date | None
    value_date: date | None
    transaction_date: date | None
    running_balance: Decimal | None
    """The account's balance behind it; None while it is pending."""
    uuid: str
    """Made of account, posting date and posted order, and changing with them: no identity."""

    @property
    def is_settled(self) -> bool:
        """Only then it may be booked (the bank: "ignore transactions while their Posted Order is
        0")."""
        return self.status is RowStatus.POSTED and self.posted_order > 0


@dataclass(frozen=True, slots=True)
class UnreadRow:
    """A row that could not be read; what came, and why it is no row."""

    text: str
    problem: str


@dataclass(frozen=True, slots=True)
class Rows:
    """A statement, oldest row first; the bank promises no order."""

    read: tuple[Row, ...]
    unread: tuple[UnreadRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Beneficiary:
    """Somebody whom the account's holder has set up to be paid; the API cannot add one."""

    beneficiary_id: str
    name: str
    account_number: str
    branch_code: str
    bank: str
    last_paid: date | None
    """None: never; then the API does not pay them either."""
    faster_payment: bool


@dataclass(frozen=True, slots=True)
class Choice:
    """One of those that the bank offers, by its id."""

    choice_id: str
    name: str


@dataclass(frozen=True, slots=True)
class AuthorisationSetup:
    """What an account demands of payments before they are made."""

    needed: int
    """How many authorisers; 0: none."""
    periods: tuple[Choice, ...]
    """For how long they may take: as an id the working days, 0 the current day."""
    first: tuple[Choice, ...]
    second: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Authorisers:
    """Chosen from the ``AuthorisationSetup``."""

    first_id: str
    second_id: str
    period_id: str


@dataclass(frozen=True, slots=True)
class Payment:
    """One item, to a beneficiary (or, as a transfer, to another of the holder's accounts). Raises
    ``ValueError`` for what no bank can be asked."""

    beneficiary_id: str
    amount: Decimal
    my_reference: str
    """Ours, and unique: it is how the debit row is found again."""
    their_reference: str
    faster: bool = False
    authorisers: Authorisers | None = None

    def __post_init__(self) -> None:
        paid = self.amount
        if not (paid.is_finite() and 0 < paid < _TOO_MUCH and paid == round(paid, 2)):
            raise ValueError("a payment is of whole cents, and more than none")
        for text in (self.beneficiary_id, self.my_reference, self.their_reference):
            if not text.strip() or not text.isprintable():
                raise ValueError("a payment needs a beneficiary and two references that print")


@dataclass(frozen=True, slots=True)
class Submitted:
    """The bank took a payment in. It is made when its debit row is posted, not before."""

    payment_reference: str
    """The bank's own, for asking people about it; rows do not carry it."""
    status: str
    """Free text, for people."""
    authorisation_required: bool
    """It waits for the bank's own authorisers, and lapses without them."""


def bank_day(moment: datetime) -> date:
    """The day that the bank writes at this moment, which has a zone."""
    return moment.astimezone(SAST).date()
