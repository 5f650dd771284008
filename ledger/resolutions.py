"""The rules of dead letters: each is resolved once, by a replay that was decided or by a discard.

What a replay does is decided by the rules of the command it carries; here is only what comes of it
for the letter.
"""

from __future__ import annotations

from typing import Final
from uuid import UUID

from ledger.books import Books
from ledger.commands import Command, DiscardDeadLetter, ReplayDeadLetter
from ledger.outcomes import DeadLetterDiscarded, Outcome, Result
from ledger.rejections import Code, Rejection

#: Nothing looked at the parked command itself: the letter stays open.
_UNDECIDED: Final = frozenset(
    {
        Code.UNAVAILABLE,
        Code.DEADLINE_EXCEEDED,
        Code.DEAD_LETTER_NOT_FOUND,
        Code.DEAD_LETTER_RESOLVED,
    }
)


#: Made once: every command is asked.
_ABOUT_LETTERS: Final = (ReplayDeadLetter, DiscardDeadLetter)


def letter_of(command: Command) -> UUID | None:
    """The dead letter that the command would resolve."""
    if isinstance(command, _ABOUT_LETTERS):
        return command.dead_letter_id
    return None


def refuse_letter(dead_letter_id: UUID, books: Books) -> Rejection | None:
    """The refusal of whatever would resolve the letter, where it cannot be."""
    if dead_letter_id not in books.letters:
        return Rejection(Code.DEAD_LETTER_NOT_FOUND, f"there is no dead letter {dead_letter_id}")
    if books.letters[dead_letter_id] is not None:
        return Rejection(
            Code.DEAD_LETTER_RESOLVED,
            "the dead letter was replayed or discarded before; nothing was done",
            dead_letter_id=dead_letter_id,
        )
    return None


def decide_discard(command: DiscardDeadLetter) -> DeadLetterDiscarded:
    return DeadLetterDiscarded(command.dead_letter_id, command.reason)


def resolve(command: Command, outcome: Outcome, books: Books) -> list[tuple[UUID, UUID]]:
    """Close the letter in the books' view where the outcome resolves it; answers letter and
    command, or nothing.

    A refusal resolves a replay too: it is the word that the parked command never got. One that
    broke the consumer again resolves its letter and leaves a new one that names it.
    """
    letter_id = letter_of(command)
    if letter_id is None or not _is_decided(outcome.result):
        return []
    # A replay that broke again may have raced another that resolved the letter.
    if books.letters.get(letter_id, outcome.command_id) is not None:
        return []
    books.letters[letter_id] = outcome.command_id
    return [(letter_id, outcome.command_id)]


def _is_decided(result: Result) -> bool:
    return not (isinstance(result, Rejection) and result.code in _UNDECIDED)
