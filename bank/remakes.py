"""A row that is held back is another one, under a new guise: two people say so (an action SAME).

The other row goes on, what was decided about it included, and nothing is booked. The held one is no
row from then on; where the two are of different sources it stays as what its source shows of the
other one, so that the same line is known again and not held a second time.

Each function works within the caller's transaction and raises ``BankRefusal``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

from bank.lines import API
from bank.opening import opening_of, reopen
from bank.refusals import Conflict, NotValid
from bank.sql import ACTIONS as SQL
from bank.sql import DEPOSITS
from bank.stored import line_of
from bank.suspects import APART, amount_of

_POINTER: Final = "/sameAs"

Record = Mapping[str, Any]


async def lock_account(connection: Any, row_id: UUID) -> None:
    """Before the rows, as whoever stores a statement does: meanwhile none is compared with them."""
    await connection.fetchrow(SQL.lock_account_of, row_id)


def require_held(row: Record) -> None:
    if not row["held"] or row["decided"] is not None or row["vanished"] is not None:
        raise Conflict("the row is not held back, or the bank does not show it any more")


async def meant(connection: Any, held: Record, row_id: UUID | None) -> UUID:
    """Which row the other one is; default the one that the exception names. It is locked."""
    other_id: UUID | None = row_id or await connection.fetchval(SQL.held_for, held["row_id"])
    if other_id is None:
        raise NotValid("has to name the row that it is", _POINTER)
    await require(connection, held, other_id, None)
    return other_id


async def require(connection: Any, held: Record, other_id: UUID, action_id: UUID | None) -> Record:
    """The other row, locked, if the held one can be it. ``action_id`` is what asks for that."""
    if other_id == held["row_id"]:
        raise NotValid("names the row itself", _POINTER)
    other: Record | None = await connection.fetchrow(SQL.lock_row, other_id)
    if other is None or other["account_id"] != held["account_id"]:
        raise NotValid("names no row of the account", _POINTER)
    if other["retracted"] is not None:
        raise Conflict("the other row is none any more: it was taken back, or is itself another")
    if amount_of(line_of(other)) != amount_of(line_of(held)):
        raise Conflict("the two are not of the same amount")
    await _require_one(connection, held, other)
    found = await connection.fetchrow(SQL.open_about, other_id, action_id)
    if found is not None:
        raise Conflict(f"there is action {found['action_id']} about the other: {found['status']}")
    return other


async def join(connection: Any, action: Record) -> None:
    """Carry it out. The bank may have changed its mind since it was approved."""
    row_id, other_id = action["row_id"], action["other_row_id"]
    await lock_account(connection, row_id)
    held = await connection.fetchrow(SQL.lock_row, row_id)
    require_held(held)
    other = await require(connection, held, other_id, action["action_id"])
    opened = await opening_of(connection, held["account_id"])
    is_gone = other["vanished"] is not None
    # Where files and the API have both told of it, the API knows best.
    goes_on = is_gone or held["source"] in (API, other["source"])
    retold = other if goes_on and not is_gone else held
    await connection.execute(SQL.hand_on, row_id, other_id)
    await connection.execute(SQL.drop_remake, row_id, other_id, *_words(retold))
    if goes_on:
        await connection.execute(DEPOSITS.place, other_id, *_words(held))
    for each, kind in ((row_id, "HELD"), (other_id, "VANISHED")):
        by, reason = action["requested_by"], action["reason"]
        await connection.execute(DEPOSITS.resolve_row, each, [kind], "SAME", by, reason)
    await reopen(connection, held["account_id"], opened, disowned=row_id)


async def _require_one(connection: Any, held: Record, other: Record) -> None:
    """Two rows that one source shows are two, unless the exception names the other: then its day
    was not looked at, or it had vanished, and may have come back since."""
    is_named = other["row_id"] == await connection.fetchval(SQL.held_for, held["row_id"])
    if other["vanished"] is None and other["source"] == held["source"]:
        came_back = await connection.fetchval(SQL.came_back, held["row_id"], other["row_id"])
        if came_back or not is_named:
            raise Conflict("the bank shows both")
    if not is_named and abs(other["posting_date"] - held["posting_date"]) > APART:
        raise Conflict(f"the exception does not name it, and they are over {APART.days} days apart")


def _words(row: Record) -> tuple[object, ...]:
    """What its source says of it and where, in the order of ``place``."""
    line = line_of(row)
    return (
        line.posting_date,
        line.posted_order,
        line.description,
        line.transaction_type,
        line.value_date,
        line.transaction_date,
        line.running_minor,
        row["source"],
    )
