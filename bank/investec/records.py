"""What the bank says, once it is read. Amounts are in the account's currency, never negative: the
direction carries the sign."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import Enum


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
class Payment:
    """One item, to a beneficiary (or, as a transfer, to another of the holder's accounts)."""

    beneficiary_id: str
    amount: Decimal
    my_reference: str
    """Ours, and unique: it is how the debit row is found again."""
    their_reference: str
    faster: bool = False


@dataclass(frozen=True, slots=True)
class Submitted:
    """The bank took a payment in. It is made when its debit row is posted, not before."""

    payment_reference: str | None
    status: str
    authorisation_required: bool
    """It waits for the bank's own authorisers, and lapses without them."""
