"""What an account held before its first row: in no wallet, and a term of every tie-out.

It is the word of one row: the balance behind the first that tells one, less that row and what rows
before it come to that tell none. It is kept, and not worked out anew from whatever is there: then a
row that is missing at the beginning, or has vanished there, would turn into money that was held
before, and the tie-out would agree. So it changes where something is known that was not:

- a row that stands before the first one: its balance is the word now (files of days long past);
- a row that tells no balance, before the one whose word it is, came or was disowned by people;
- the row whose word it is was disowned by people (it was another one, or none): the next one's.

Otherwise it stays, the first row's other word is told, and nothing agrees until it is known why.
A row that is gone keeps its word for as long as the balances behind it go on from its own: the bank
counts it, and that it shows no such row has to be seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple
from uuid import UUID

from bank.sql import DEPOSITS as SQL


class Told(NamedTuple):
    """A row that tells a balance, in minor units."""

    row_id: UUID
    posting_date: date
    number: int
    signed_minor: int
    running_minor: int
    untold_minor: int
    """What rows before it come to that tell none."""


class Opening(NamedTuple):
    """Whose word it is, and what it comes to."""

    row_id: UUID
    place: tuple[date, int, UUID]
    before_minor: int
    """The balance before that row."""
    minor: int


class Kept(NamedTuple):
    """What is to be kept; ``row_id`` is None where the word stays whose it was."""

    minor: int
    row_id: UUID | None


def opening(head: Sequence[Told]) -> Opening | None:
    """Of rows in order: the last is the first that is shown, those before it are gone."""
    if not head:
        return None
    first = head[-1]
    for gone in reversed(head[:-1]):
        between = first.untold_minor - gone.untold_minor
        if gone.running_minor + between + first.signed_minor == first.running_minor:
            first = gone
    before = first.running_minor - first.signed_minor
    place = (first.posting_date, first.number, first.row_id)
    return Opening(first.row_id, place, before, before - first.untold_minor)


def revised(
    kept_minor: int | None, was: Opening | None, now: Opening, *, is_disowned: bool
) -> Kept | None:
    """``is_disowned``: the row whose word is kept. None where the first row says something else now
    and nothing is known that explains it."""
    if kept_minor is None or was is None or is_disowned:
        return Kept(now.minor, now.row_id)
    if (now.row_id, now.before_minor) == (was.row_id, was.before_minor):
        return Kept(kept_minor + now.minor - was.minor, None)
    if now.row_id != was.row_id and now.place < was.place:
        return Kept(now.minor, now.row_id)
    return Kept(kept_minor, None) if now.minor == kept_minor else None


async def opening_of(connection: Any, account_id: str) -> Opening | None:
    """What the rows say by now. The account is locked."""
    return opening([Told(*record) for record in await connection.fetch(SQL.head, account_id)])


async def reopen(
    connection: Any, account_id: str, was: Opening | None, *, disowned: UUID | None = None
) -> Opening | None:
    """Keep what follows from a change of rows: ``was`` is what they said before it, ``disowned`` a
    row that people have said is none of its own. Answers what the first row says now where that is
    kept by nobody. The account is locked."""
    now = await opening_of(connection, account_id)
    kept = await connection.fetchrow(SQL.opening, account_id)
    if now is None or (now == was and disowned is None and kept["opening_minor"] is not None):
        return None
    is_disowned = disowned is not None and disowned == kept["opening_row"]
    revision = revised(kept["opening_minor"], was, now, is_disowned=is_disowned)
    if revision is None:
        return now
    await connection.execute(SQL.open_with, account_id, revision.minor, revision.row_id)
    if revision.minor == now.minor:
        await connection.execute(SQL.close_opening, account_id)
    return None
