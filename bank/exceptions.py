"""Exceptions of which it is enough that one person has seen them. The others end by actions."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

from bank.payouts.approvals import Person
from bank.refusals import Conflict, NotThere
from bank.sql import ACTIONS as SQL

#: Each of them only tells. The row that it is about stays as it is: booked, or waiting for what it
#: waits for; and what is missing between two balances stays a difference of the tie-out.
_SEEN: Final = frozenset(
    {"MOVED", "CHANGED", "GAP", "UNREADABLE", "REFUSED", "KEY_TAKEN", "PAYOUT"}
)
_NEXT: Final = {
    "VANISHED": "it comes back by itself, or its booking is taken back (an action RETRACT)",
    "HELD": "it is another row (an action SAME), or one of its own (an action BOOK)",
    "PAYOUT": "it is a payout's (`./sov payouts row`), or one of its own (an action BOOK)",
}


async def acknowledge(connection: Any, exception_id: UUID, person: Person, reason: str) -> None:
    """Within the caller's transaction. Raises ``BankRefusal``."""
    found = await connection.fetchrow(SQL.lock_exception, exception_id)
    if found is None:
        raise NotThere(f"there is no exception {exception_id}")
    if found["resolved"] is not None:
        raise Conflict("the exception was resolved before")
    # Seen, and not booked for all that: the row would wait for ever, and be listed nowhere.
    is_waiting = found["kind"] == "PAYOUT" and found["waits"]
    if is_waiting or found["kind"] not in _SEEN:
        raise Conflict(f"that is not enough for {found['kind']}: {_NEXT[found['kind']]}")
    await connection.execute(SQL.resolve, exception_id, "ACKNOWLEDGED", person.key_id, reason)
