"""One word of each person about what somebody asked for, kept with who, when and why."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from bank.payouts.approvals import Person
from bank.refusals import Conflict
from bank.sql import ACTIONS as SQL


async def say(
    connection: Any, subject_id: UUID, person: Person, verdict: str, reason: str | None
) -> None:
    """Within the caller's transaction, which has locked what it is about. Raises ``Conflict`` where
    this person has spoken, with whichever key."""
    spoken = await connection.fetch(SQL.verdicts, [subject_id])
    if not any(person.is_called(said["owner"]) for said in spoken):
        word = (subject_id, person.owner, person.key_id, verdict, reason)
        if await connection.fetchval(SQL.say, *word) is not None:
            return
    raise Conflict("this person has had a word about it already")
