"""Whether a row of the statement is a payout that was made, or one that came back.

Asked of every settled row before it is called anything else. A debit that names a payout and has
its amount is that payout, whatever is believed of it; a credit that does so undoes it. What only
nearly fits is left to people, because a payout that is taken for a bank charge is paid for twice:
once by the charges wallet, and once by the money that stays held.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from enum import Enum
from uuid import UUID

from bank.payouts import orders
from bank.payouts.orders import Payout
from bank.payouts.references import bank_references, references
from bank.payouts.states import State
from bank.sql import PAYOUTS as SQL
from ledger.database import Queries


@dataclass(frozen=True, slots=True)
class Seen:
    """What of a row decides."""

    account_id: str
    credit: bool
    amount_minor: int
    description: str
    posting_date: date


class Part(Enum):
    """What a row is to a payout."""

    MADE = "MADE"
    MADE_AGAIN = "MADE_AGAIN"
    """The row that it had has vanished: two people take its booking back."""
    CAME_BACK = "CAME_BACK"


@dataclass(frozen=True, slots=True)
class Belongs:
    """To this payout, certainly."""

    payout: Payout
    part: Part


@dataclass(frozen=True, slots=True)
class Doubtful:
    """It may belong to a payout, and nobody but people can say. A debit is not to be booked; a
    credit may go where credits go that nobody can place."""

    why: str


@dataclass(frozen=True, slots=True)
class TooEarly:
    """It undoes a payout whose own row is still being booked: ask again after that."""


Verdict = Belongs | Doubtful | TooEarly | None
"""None: no payout's."""


async def recognise(connection: Queries, row: Seen) -> Verdict:
    """What the row is. Nothing is changed."""
    rows = await connection.fetch(
        SQL.of_references,
        row.account_id,
        references(row.description),
        bank_references(row.description),
    )
    found = [orders.read(each) for each in rows]
    if row.credit:
        return judge_credit(row, found)
    if found:
        vanished = {each["payout_id"] for each in rows if each["vanished"]}
        return judge_debit(row, found, vanished)
    size = (row.account_id, row.amount_minor, row.posting_date)
    alike = [orders.read(each) for each in await connection.fetch(SQL.alike, *size)]
    files = [each["export_id"] for each in await connection.fetch(SQL.files_alike, *size)]
    return judge_unnamed(alike, files)


def judge_debit(row: Seen, named: Sequence[Payout], vanished: Collection[UUID] = ()) -> Verdict:
    """Given the payouts that it names, one at least, and of which of these the row has vanished."""
    if len(named) > 1:
        return Doubtful("it names several payouts")
    (payout,) = named
    if payout.order.amount_minor != row.amount_minor:
        return Doubtful(f"it names payout {payout.my_reference}, of another amount")
    if payout.payout_id in vanished:
        return Belongs(payout, Part.MADE_AGAIN)
    if payout.debit_row is not None:
        return Doubtful(f"payout {payout.my_reference} has its row already")
    return Belongs(payout, Part.MADE)


def judge_unnamed(alike: Sequence[Payout], files: Sequence[UUID]) -> Verdict:
    """A debit that names no payout: given those of its amount whose row is missing, and the files
    of its total that are not paid."""
    if alike:
        given_up = all(payout.state is State.REJECTED for payout in alike)
        return Doubtful(
            "it names no payout, and has the amount of one that the bank may have made"
            + (f", which was given up: {alike[0].my_reference}" if given_up else "")
        )
    if files:
        return Doubtful(
            f"it names no payout, and has the total of file {files[0]}: the bank may have paid the"
            " payouts that are in it as one"
        )
    return None


def judge_credit(row: Seen, named: Sequence[Payout]) -> Verdict:
    """Given the payouts that the description names."""
    if len(named) > 1:
        return Doubtful("it names several payouts")
    if not named:
        return None
    (payout,) = named
    if payout.order.amount_minor != row.amount_minor:
        return Doubtful(f"it names payout {payout.my_reference}, of another amount")
    if payout.return_row is not None or payout.state is State.RETURNED:
        return Doubtful(f"payout {payout.my_reference} has come back already")
    if payout.state is State.SETTLED:
        return Belongs(payout, Part.CAME_BACK)
    if payout.debit_row is not None:
        return TooEarly()
    return Doubtful(f"payout {payout.my_reference} has not been made, and comes back")
