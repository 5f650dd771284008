"""What people may say to a payout, and whose word counts.

Every word is kept with who, when and why, in the statement that does what it says. What is checked
before is for a good answer alone: the statements check it again.
"""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import asyncpg

from bank.claims import key_of
from bank.payouts import orders
from bank.payouts.approvals import Objection, Person, objection
from bank.payouts.orders import Payout
from bank.payouts.states import Event, State, sources, target
from bank.sql import DEPOSITS
from bank.sql import PAYOUTS as SQL
from ledger.database import Queries


class NotYours(Exception):
    """A second person has to say that."""

    def __init__(self, why: Objection) -> None:
        super().__init__(_OBJECTIONS[why])
        self.why = why


class Conflict(Exception):
    """The payout is not in a state in which that can be said."""


_OBJECTIONS: Final = {
    Objection.MADE_IT: "whoever asked for it cannot agree to it, with whichever key",
    Objection.HAS_SPOKEN: "this owner has agreed already: another person has to",
}


async def approve(queries: Queries, payout: Payout, person: Person, reason: str | None) -> None:
    """Agree to the payment. Raises ``NotYours`` or ``Conflict``."""
    if payout.state is not State.AWAITING_APPROVAL:
        raise _conflict(payout, "nobody has to agree to its payment")
    said = (await orders.words(queries, [payout.payout_id])).get(payout.payout_id, [])
    spoken = [word.person for word in said if word.word == "APPROVED"]
    why = objection(payout.maker, spoken, person)
    if why is not None:
        raise NotYours(why)
    try:
        await _say(queries, SQL.approve, payout, person, reason)
    except asyncpg.UniqueViolationError:
        raise NotYours(Objection.HAS_SPOKEN) from None


async def give_up(queries: Queries, payout: Payout, person: Person, reason: str | None) -> None:
    """Agree that the bank did not and will not pay it. Raises ``NotYours`` or ``Conflict``."""
    if payout.giving_up is None:
        raise _conflict(payout, "nobody asks to give it up")
    if person.is_called(payout.giving_up):
        raise NotYours(Objection.MADE_IT)
    await _say(queries, SQL.give_up, payout, person, reason)


async def name_row(
    queries: Queries, payout: Payout, row_id: UUID, person: Person, reason: str
) -> None:
    """Say that an unbooked debit is this payout's, though it does not name it: the bank has cut or
    left out our reference. Raises ``Conflict``."""
    arguments = (row_id, person.key_id, person.owner, reason)
    if not await queries.fetch(SQL.name_row, payout.payout_id, *arguments):
        raise _conflict(payout, "it cannot have that row, or the row is not one for it")


async def agree_row(
    connection: Any, payout: Payout, row_id: UUID, person: Person, reason: str | None
) -> None:
    """Say so of the very row as well; within the caller's transaction. Raises ``NotYours`` or
    ``Conflict``."""
    if payout.named_row is None:
        raise _conflict(payout, "nobody says that a row is its")
    if payout.named_row != row_id:
        raise _conflict(payout, f"it is row {payout.named_row} that somebody says is its")
    if person.is_called(payout.named_by):
        raise NotYours(Objection.MADE_IT)
    # In the order in which whoever decides rows locks these.
    if await connection.fetchval(DEPOSITS.lock_undecided, row_id) is None:
        raise _conflict(payout, "the row is booked, held back or gone by now")
    arguments = (row_id, person.key_id, person.owner, reason)
    if not await connection.fetch(SQL.agree_row, payout.payout_id, *arguments):
        raise _conflict(payout, "that cannot be said to it any more")
    key = await orders.unused_key(connection, payout)
    await connection.execute(
        DEPOSITS.decide,
        *(row_id, payout.order.wallet_id, "PAYOUT", payout.my_reference, []),
        *(key, key or key_of(row_id)),
    )
    await connection.execute(
        DEPOSITS.resolve_row, row_id, ["PAYOUT"], "PAYOUT", person.key_id, reason
    )


async def refuse(queries: Queries, payout: Payout, person: Person, reason: str) -> None:
    """Say no: to the payment, which ends it; or to giving it up, or to a row, and it goes on as it
    was. Raises ``Conflict``."""
    if payout.giving_up is not None:
        await _say(queries, SQL.stop_giving_up, payout, person, reason)
    elif payout.named_row is not None:
        await _say(queries, SQL.unname_row, payout, person, reason)
    else:
        await _step(queries, payout, person, Event.DECLINED, "DECLINED", reason)


async def cancel(queries: Queries, payout: Payout, person: Person, reason: str) -> bool:
    """End it, where the bank was not asked; answers whether it has ended. Where it was, this says
    that the bank did not and will not pay, and another person has to agree. Raises ``Conflict``."""
    if payout.state in sources(Event.GIVEN_UP):
        await _say(queries, SQL.giving_up, payout, person, reason)
        return False
    await _step(queries, payout, person, Event.CANCELLED, "CANCELLED", reason)
    return True


async def resume(queries: Queries, payout: Payout, person: Person, reason: str | None) -> None:
    """Ask the bank after all, which has the beneficiary now. Raises ``Conflict``."""
    await _step(queries, payout, person, Event.RESUMED, "RESUMED", reason)


async def _step(
    queries: Queries,
    payout: Payout,
    person: Person,
    event: Event,
    word: str,
    reason: str | None,
) -> None:
    states = [state.value for state in sources(event)]
    arguments = (states, target(event).value, word, person.key_id, person.owner, reason)
    if not await queries.fetch(SQL.step_by, payout.payout_id, *arguments):
        raise _conflict(payout, "that cannot be said to it any more")


async def _say(
    queries: Queries, statement: str, payout: Payout, person: Person, reason: str | None
) -> None:
    if not await queries.fetch(statement, payout.payout_id, person.key_id, person.owner, reason):
        raise _conflict(payout, "that cannot be said to it any more")


def _conflict(payout: Payout, why: str) -> Conflict:
    booked = ", and the bank has made it" if payout.debit_row and not payout.transfer_id else ""
    return Conflict(f"the payout is {payout.state.value}{booked}: {why}")
