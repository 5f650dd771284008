"""A payout as it was asked for and as it stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank.payouts.approvals import Person
from bank.payouts.references import new_reference
from bank.payouts.states import State
from bank.sql import PAYOUTS as SQL
from ledger.commands import PlaceReservation
from ledger.database import Queries
from ledger.kept import SESSIONS
from ledger.money import exponent_of

#: Held money never becomes free by time alone: the bank could pay it afterwards. What is given back
#: is released. (No caller can name a time as far away as this; the ledger sets no bound.)
HELD_UNTIL: Final = datetime(9500, 1, 1, tzinfo=UTC)
LAST_ID: Final = UUID(int=2**128 - 1)


@dataclass(frozen=True, slots=True)
class Payee:
    """A bank account that is to be paid. What the approvers see, and the only one that is paid."""

    name: str
    account_number: str
    branch_code: str
    beneficiary_id: str | None = None
    """What the bank calls it, where the caller knows."""


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody asks for."""

    external_unique_id: str
    account_id: str
    """Of ours, at the bank."""
    wallet_id: UUID
    currency: str
    amount_minor: int
    payee: Payee
    their_reference: str
    """What the payee's statement shows."""
    description: str | None


@dataclass(frozen=True, slots=True)
class Word:
    """What a person said, kept for ever."""

    word: str
    person: Person
    reason: str | None
    said: datetime


@dataclass(frozen=True, slots=True)
class Payout:
    """An order on its way."""

    payout_id: UUID
    order: Order
    my_reference: str
    approvals_needed: int
    approvals: int
    maker: Person
    state: State
    reason: str | None
    requested: datetime
    not_after: datetime | None
    held: datetime | None
    submitted: datetime | None
    paid_beneficiary_id: str | None
    """Whom the bank was asked to pay, as it calls them."""
    payment_reference: str | None
    authorised_until: datetime | None
    export_id: UUID | None
    giving_up: str | None
    """Whose key said that the bank will not pay it, while a second person has to agree."""
    named_row: UUID | None
    """A debit that ``named_by`` says is this payout's, while a second person has to agree."""
    named_by: str | None
    debit_row: UUID | None
    transfer_id: UUID | None
    return_row: UUID | None
    return_transfer_id: UUID | None
    problem: str | None
    changed: datetime

    @property
    def amount(self) -> Decimal:
        """In major units."""
        return Decimal(self.order.amount_minor).scaleb(-exponent_of(self.order.currency))

    @property
    def session_id(self) -> str:
        """Of its reservation; also the key of reservation and transfer, each in its own space."""
        return session_of(self.payout_id)

    @property
    def reservation(self) -> PlaceReservation:
        """Always the very same, whoever asks for it and however often."""
        return PlaceReservation(
            wallet_id=self.order.wallet_id,
            amount=self.amount,
            session_id=self.session_id,
            expires=HELD_UNTIL,
            external_unique_id=self.session_id,
            currency=self.order.currency,
            description=f"payout {self.my_reference}",
        )


def session_of(payout_id: UUID) -> str:
    return f"{SESSIONS}{payout_id}"


def payout_of(session_id: str) -> UUID | None:
    """None for a session that is no payout's."""
    try:
        return UUID(session_id.removeprefix(SESSIONS))
    except ValueError:
        return None


async def order(
    connection: Queries,
    asked: Order,
    maker: Person,
    approvals: int,
    seen_to_for: timedelta,
    not_after: datetime | None = None,
) -> Payout | None:
    """Keep the order; None where its key is in use. ``seen_to_for`` is how long the caller will
    itself see to the reservation; after that the bank process does, ``not_after`` excepted."""
    payout_id = await connection.fetchval(
        SQL.order,
        uuid_utils.compat.uuid7(),
        asked.external_unique_id,
        asked.account_id,
        asked.wallet_id,
        asked.currency,
        asked.amount_minor,
        asked.payee.beneficiary_id,
        asked.payee.name,
        asked.payee.account_number,
        asked.payee.branch_code,
        new_reference(),
        asked.their_reference,
        asked.description,
        approvals,
        maker.key_id,
        maker.owner,
        seen_to_for,
        not_after,
    )
    return None if payout_id is None else await get(connection, payout_id)


async def unused_key(connection: Queries, payout: Payout) -> str | None:
    """Session and key of the transfer for its row; None where they went with a row that has
    vanished since: another one is booked under a key of its own."""
    is_used = await connection.fetchval(SQL.is_used, payout.session_id)
    return None if is_used else payout.session_id


async def get(connection: Queries, payout_id: UUID) -> Payout | None:
    row = await connection.fetchrow(SQL.get, payout_id)
    return None if row is None else read(row)


async def of_key(connection: Queries, key: str) -> Payout | None:
    """The one that uses the key; an order whose money could not be held leaves it free."""
    row = await connection.fetchrow(SQL.of_key, key)
    return None if row is None else read(row)


async def page(
    connection: Queries,
    *,
    before: UUID = LAST_ID,
    state: State | None = None,
    wallet_id: UUID | None = None,
    with_problem: bool = False,
    limit: int,
) -> list[Payout]:
    """The latest first."""
    rows = await connection.fetch(
        SQL.page, before, None if state is None else state.value, wallet_id, with_problem, limit
    )
    return [read(row) for row in rows]


async def words(connection: Queries, payout_ids: Sequence[UUID]) -> Mapping[UUID, list[Word]]:
    """What people said to each, in order."""
    found: defaultdict[UUID, list[Word]] = defaultdict(list)
    for row in await connection.fetch(SQL.words, payout_ids):
        person = Person(row["key_id"], row["owner"])
        word = Word(row["word"], person, row["reason"], row["said"])
        found[row["payout_id"]].append(word)
    return found


def read(row: Mapping[str, Any]) -> Payout:
    payee = Payee(
        name=row["beneficiary_name"],
        account_number=row["account_number"],
        branch_code=row["branch_code"],
        beneficiary_id=row["beneficiary_id"],
    )
    asked = Order(
        external_unique_id=row["external_unique_id"],
        account_id=row["account_id"],
        wallet_id=row["wallet_id"],
        currency=row["currency"],
        amount_minor=row["amount_minor"],
        payee=payee,
        their_reference=row["their_reference"],
        description=row["description"],
    )
    return Payout(
        order=asked,
        maker=Person(row["key_id"], row["owner"]),
        state=State(row["state"]),
        **{name: row[name] for name in _AS_STORED},
    )


_AS_STORED: Final = (
    *(
        "payout_id",
        "my_reference",
        "approvals_needed",
        "approvals",
        "reason",
        "requested",
        "not_after",
    ),
    *(
        "held",
        "submitted",
        "paid_beneficiary_id",
        "payment_reference",
        "authorised_until",
        "export_id",
        "giving_up",
    ),
    *(
        "named_row",
        "named_by",
        "debit_row",
        "transfer_id",
        "return_row",
        "return_transfer_id",
        "problem",
        "changed",
    ),
)
