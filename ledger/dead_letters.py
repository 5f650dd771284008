"""What broke the consumer, parked in the books with its reason, so that nothing is dropped."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from uuid import UUID

import msgspec
import uuid_utils.compat

from ledger import lookup
from ledger.commands import Submission
from ledger.database import Queries
from ledger.outcomes import DeadLetterDiscarded, Outcome
from ledger.rejections import Code, Rejection
from ledger.sql import DEAD_LETTERS as SQL

#: PostgreSQL keeps no NUL in text.
_NUL, _SHOWN_NUL = "\x00", "\N{SYMBOL FOR NULL}"
#: Larger than every id: the newest come first.
LAST_ID: Final = UUID(int=2**128 - 1)

_SUBMISSION: Final = msgspec.json.Decoder(Submission)


class DeadLetter(NamedTuple):
    dead_letter_id: UUID
    layout: int
    partition: int
    reason: str
    command_id: UUID | None = None
    submission: str | None = None
    """The command as JSON; None where the message could not be read."""
    message: bytes | None = None
    """The message as it came, where it could not be read."""
    traceback: str | None = None


class Resolution(NamedTuple):
    """How a dead letter was dealt with: the outcome of the command that did it."""

    outcome: Outcome
    actor_name: str | None
    """What the actor's API key is called; None where the books have no such key."""


class Parked(NamedTuple):
    """A dead letter as it lies in the books."""

    letter: DeadLetter
    created: datetime
    resolution: Resolution | None
    """None while it is open."""


class Reason(NamedTuple):
    """All dead letters with one reason."""

    reason: str
    open: int
    resolved: int
    first: datetime
    last: datetime
    latest_id: UUID
    """The newest of them."""


def of_command(
    layout: int, partition: int, submission: Submission, error: BaseException
) -> DeadLetter:
    """The dead letter of a command that made ``execute`` raise."""
    return DeadLetter(
        dead_letter_id=uuid_utils.compat.uuid7(),
        layout=layout,
        partition=partition,
        reason=_reason(error),
        command_id=submission.command_id,
        submission=msgspec.json.encode(submission).decode(),
        traceback=_clean("".join(traceback.format_exception(error))),
    )


def of_message(layout: int, partition: int, message: bytes, error: BaseException) -> DeadLetter:
    """The dead letter of a message that cannot be read; it decides nothing."""
    return DeadLetter(
        dead_letter_id=uuid_utils.compat.uuid7(),
        layout=layout,
        partition=partition,
        reason=_reason(error),
        message=message,
    )


def refusal(letter: DeadLetter) -> Rejection:
    """What the caller of a parked command is told."""
    return Rejection(
        Code.INTERNAL,
        "the command met a defect of the ledger; it moved nothing and was parked for an operator",
        dead_letter_id=letter.dead_letter_id,
    )


async def park(connection: Queries, letters: Sequence[DeadLetter]) -> None:
    """Write them down, in the caller's transaction."""
    for letter in letters:
        await connection.fetch(SQL.park, *letter)


async def listed(
    connection: Queries,
    limit: int,
    *,
    before: UUID = LAST_ID,
    reason: str | None = None,
    resolved: bool | None = None,
) -> list[Parked]:
    """The newest ones whose id is smaller than ``before``, without message and traceback."""
    rows = await connection.fetch(SQL.list, before, reason, resolved, limit)
    return await _parked(connection, rows)


async def shown(connection: Queries, dead_letter_id: UUID) -> Parked | None:
    found = await _parked(connection, await connection.fetch(SQL.show, dead_letter_id))
    return found[0] if found else None


async def reasons(connection: Queries, limit: int, *, before: UUID = LAST_ID) -> list[Reason]:
    """The letters by their reason, by the newest letter of each."""
    rows = await connection.fetch(SQL.reasons, before, limit)
    return [Reason(*(row[name] for name in Reason._fields)) for row in rows]


async def last_word(connection: Queries, outcome: Outcome) -> Outcome:
    """The outcome itself; of a command that was parked, that of the replay which decided it since,
    through however many letters. A discarded letter leaves the word that there was."""
    while isinstance(outcome.result, Rejection) and outcome.result.code is Code.INTERNAL:
        resolved_by = await connection.fetchval(SQL.resolved_by, outcome.result.dead_letter_id)
        later = await lookup.outcomes(connection, [resolved_by] if resolved_by else [])
        if resolved_by not in later or isinstance(later[resolved_by].result, DeadLetterDiscarded):
            break
        outcome = later[resolved_by]
    return outcome


def submission_of(letter: DeadLetter) -> Submission | None:
    """The parked command as it was sent; None where this program cannot read it."""
    if letter.submission is None:
        return None
    try:
        return _SUBMISSION.decode(letter.submission)
    except msgspec.DecodeError:
        return None


async def _parked(connection: Queries, rows: Sequence[Any]) -> list[Parked]:
    resolving = [row["resolved_by"] for row in rows if row["resolved_by"] is not None]
    outcomes = await lookup.outcomes(connection, resolving)
    found = []
    for row in rows:
        fields = {name: row[name] for name in DeadLetter._fields}
        outcome = outcomes.get(row["resolved_by"])
        resolution = None if outcome is None else Resolution(outcome, row["actor_name"])
        found.append(Parked(DeadLetter(**fields), row["created"], resolution))
    return found


def _reason(error: BaseException) -> str:
    first_line = str(error).partition("\n")[0]
    return _clean(f"{type(error).__name__}: {first_line}"[:300])


def _clean(text: str) -> str:
    return text.replace(_NUL, _SHOWN_NUL)
