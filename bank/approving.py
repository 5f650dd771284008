"""The second person's word about statement files and aliases: what they say becomes deposits.

Each function works within the caller's transaction and raises ``BankRefusal``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from bank.payouts.approvals import Person
from bank.refusals import Conflict, NotAllowed, NotThere
from bank.sql import ACTIONS, DEPOSITS
from bank.verdicts import say


async def approve_statement(
    connection: Any, statement_id: UUID, person: Person, reason: str | None
) -> None:
    """The file is read once more, and then stored."""
    found = await _waiting(connection, statement_id)
    _require_another(found["uploaded_owner"], person)
    await say(connection, statement_id, person, "APPROVED", reason)
    await connection.execute(DEPOSITS.judge_statement, statement_id, "APPROVED", None)


async def refuse_statement(
    connection: Any, statement_id: UUID, person: Person, reason: str | None
) -> None:
    """Anybody's no, that of whoever handed it in included."""
    await _waiting(connection, statement_id)
    await say(connection, statement_id, person, "REFUSED", reason)
    told = f"refused by {person.key_id}" + (f": {reason}" if reason else "")
    await connection.execute(DEPOSITS.judge_statement, statement_id, "REFUSED", told)


async def approve_alias(
    connection: Any, alias_id: UUID, person: Person, reason: str | None
) -> None:
    """From now on its words count."""
    found = await connection.fetchrow(ACTIONS.lock_alias, alias_id)
    if found is None:
        raise NotThere("there is no such alias in force")
    if found["approved"] is not None:
        raise Conflict("the alias was approved before")
    _require_another(found["created_owner"], person)
    await say(connection, alias_id, person, "APPROVED", reason)
    await connection.execute(ACTIONS.approve_alias, alias_id)


async def _waiting(connection: Any, statement_id: UUID) -> Mapping[str, Any]:
    found: Mapping[str, Any] | None = await connection.fetchrow(
        DEPOSITS.lock_statement, statement_id
    )
    if found is None:
        raise NotThere("there is no such statement")
    if found["status"] != "AWAITING_APPROVAL":
        raise Conflict(f"the statement is {found['status']}")
    return found


def _require_another(owner: str, person: Person) -> None:
    if person.is_called(owner):
        raise NotAllowed("it comes from the same person: another one has to approve it")
