"""What broke the consumer, parked in the books with its reason, so that nothing is dropped."""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import uuid_utils.compat

from ledger.commands import Submission
from ledger.database import Queries
from ledger.rejections import Code, Rejection
from ledger.sql import DEAD_LETTERS as SQL

#: PostgreSQL keeps no NUL in text.
_NUL, _SHOWN_NUL = "\x00", "\N{SYMBOL FOR NULL}"


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


class Parked(NamedTuple):
    """A dead letter as it lies in the books."""

    letter: DeadLetter
    created: datetime


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


async def listed(connection: asyncpg.Connection, limit: int) -> list[Parked]:
    """The newest ones."""
    return [_parked(row) for row in await connection.fetch(SQL.list, limit)]


async def shown(connection: asyncpg.Connection, dead_letter_id: UUID) -> Parked | None:
    row = await connection.fetchrow(SQL.show, dead_letter_id)
    return None if row is None else _parked(row)


def _parked(row: Any) -> Parked:
    fields = {name: row[name] for name in DeadLetter._fields}
    return Parked(DeadLetter(**fields), row["created"])


def _reason(error: BaseException) -> str:
    first_line = str(error).partition("\n")[0]
    return _clean(f"{type(error).__name__}: {first_line}"[:300])


def _clean(text: str) -> str:
    return text.replace(_NUL, _SHOWN_NUL)
