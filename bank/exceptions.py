"""What people make of exceptions without moving money. What moves some is an action."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from bank.lines import API
from bank.payouts.approvals import Person
from bank.refusals import Conflict, NotThere, NotValid
from bank.sql import ACTIONS as SQL
from bank.sql import DEPOSITS
from bank.stored import line_of

#: Of these it is enough that somebody has seen them.
_SEEN: Final = frozenset(
    {"MOVED", "CHANGED", "GAP", "UNREADABLE", "REFUSED", "KEY_TAKEN", "PAYOUT"}
)
_NEXT: Final = {
    "VANISHED": "it comes back by itself, or its booking is taken back (an action RETRACT)",
    "HELD": "it is SAME as a row that has vanished, or one of its own (an action BOOK)",
}


async def acknowledge(connection: Any, exception_id: UUID, person: Person, reason: str) -> None:
    """Within the caller's transaction. Raises ``BankRefusal``."""
    found = await _open(connection, exception_id)
    if found["kind"] not in _SEEN:
        raise Conflict(f"that is not enough for {found['kind']}: {_NEXT[found['kind']]}")
    await connection.execute(SQL.resolve, exception_id, "ACKNOWLEDGED", person.key_id, reason)


async def same(
    connection: Any, exception_id: UUID, of: UUID | None, person: Person, reason: str
) -> None:
    """The held row is one that has vanished, or that another source has told of: that one goes on,
    and nothing is booked. Should it be untrue, the vanished row is new when the bank shows it
    again."""
    found = await _open(connection, exception_id)
    if found["kind"] != "HELD":
        raise Conflict("only a row that is held back can be the same as another one")
    # No statement is compared with the rows meanwhile.
    await connection.fetchrow(DEPOSITS.lock_account, found["account_id"])
    held = await connection.fetchrow(SQL.lock_row, found["row_id"])
    former_id = of or found["other_row_id"]
    if former_id is None:
        raise NotValid("has to name the row that it was", "/sameAs")
    former = await connection.fetchrow(SQL.lock_row, former_id)
    if former is None or former["account_id"] != held["account_id"]:
        raise NotValid("names no row of the account", "/sameAs")
    stands = former["vanished"] is None and former["source"] == held["source"]
    if stands or former["retracted"] is not None:
        raise Conflict("the other row has not vanished, or its booking was taken back")
    if (former["credit"], former["amount_minor"]) != (held["credit"], held["amount_minor"]):
        raise Conflict("the two are not of the same amount")
    for row in (held, former):
        await _require_no_action(connection, row["row_id"])
    await connection.execute(SQL.drop_remake, held["row_id"])
    if former["vanished"] is not None or held["source"] == API:
        await _go_on(connection, former_id, held)
    await connection.execute(
        DEPOSITS.resolve_row, former_id, ["VANISHED"], "SAME", person.key_id, reason
    )
    await connection.execute(SQL.resolve, exception_id, "SAME", person.key_id, reason)


async def _go_on(connection: Any, former_id: UUID, held: Mapping[str, Any]) -> None:
    """A row stands where the held one stood from now on; where files and the API have both told of
    it, the API knows best."""
    line = line_of(held)
    await connection.execute(
        DEPOSITS.place,
        former_id,
        line.posting_date,
        line.posted_order,
        line.description,
        line.transaction_type,
        line.value_date,
        line.transaction_date,
        line.running_minor,
        held["source"],
    )


async def _open(connection: Any, exception_id: UUID) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = await connection.fetchrow(SQL.lock_exception, exception_id)
    if found is None:
        raise NotThere(f"there is no exception {exception_id}")
    if found["resolved"] is not None:
        raise Conflict("the exception was resolved before")
    return found


async def _require_no_action(connection: Any, row_id: UUID) -> None:
    found = await connection.fetchrow(SQL.lately, row_id)
    if found is not None and found["status"] != "DONE":
        raise Conflict(f"there is action {found['action_id']} about it: {found['status']}")
