"""One command against the books: which rule, and what comes before every rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import assert_never
from uuid import UUID

from ledger import kept
from ledger.books import GROUPS, RESERVATIONS, TRANSFERS, WALLETS, Books, KeySpace
from ledger.commands import (
    ChangeWallet,
    Command,
    CreateWallet,
    DiscardDeadLetter,
    PlaceReservation,
    PostStagedBatch,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    ReplayDeadLetter,
    ReverseTransfer,
    Submission,
)
from ledger.outcomes import Result
from ledger.rejections import DUPLICATES, SILENT_ON_KEYS, TOO_LATE, Code, Rejection
from ledger.reservations import decide_release, decide_reservation, decide_session_release
from ledger.resolutions import decide_discard, letter_of, refuse_letter
from ledger.reversals import decide_reversal
from ledger.transfer_groups import decide_group
from ledger.transfers import decide_transfer
from ledger.wallets import decide_change, decide_wallet

#: Refusals that come before the key's own history is looked at (contract, "Order of refusals").
_BEFORE_HISTORY = DUPLICATES | {Code.INVALID_REQUEST, Code.INVALID_AMOUNT}


@dataclass(frozen=True, slots=True)
class Source:
    """Where new names come from: the only thing a decision takes that is not in the books."""

    new_id: Callable[[], UUID]
    new_reference: Callable[[], str]


def decide(
    submission: Submission, books: Books, source: Source, refused: Rejection | None = None
) -> Result:
    """What becomes of the command, given the books as they are now. Changes nothing.

    ``refused`` is a refusal that no rule decided (see ``execute.Assigned``).
    """
    # Before everything else: past its deadline a command is final even where nobody recorded it,
    # so whoever decides later must come to the same word.
    if books.at >= submission.deadline:
        return TOO_LATE
    if refused is not None:
        return refused
    letter_id = letter_of(submission.command)
    closed = None if letter_id is None else refuse_letter(letter_id, books)
    if closed is not None:
        return closed
    result = _apply_rule(submission.command, submission.command_id, books, source)
    result = kept.refuse(result, submission.actor, books) or result
    if isinstance(result, Rejection) and result.code in _BEFORE_HISTORY:
        return result
    for key in keys_of(submission.command) if books.refusals else ():
        refusal = books.refusals.get(key)
        # Issued before the refusal that somebody was told: that answer must stay true (rule 7).
        if refusal is not None and submission.issued <= refusal.decided:
            if letter_id is not None and refusal.rejection.dead_letter_id == letter_id:
                # Whoever replays a letter has read it: the replay came later, even where the
                # sender's clock, which may be a little behind, says otherwise.
                continue
            return refusal.rejection
    return result


def _apply_rule(command: Command, command_id: UUID, books: Books, source: Source) -> Result:
    match command:
        case PostTransfer():
            return decide_transfer(command, books, command_id, source.new_id)
        case PlaceReservation():
            return decide_reservation(command, books, source.new_id)
        case ReleaseReservation():
            return decide_release(command, books)
        case ReleaseSession():
            return decide_session_release(command, books)
        case PostStagedBatch():
            raise TypeError("a staged batch is decided as the group that it stands for")
        case PostTransferGroup():
            return decide_group(command, books, command_id, source.new_id)
        case ReverseTransfer():
            return decide_reversal(command, books, command_id, source.new_id)
        case CreateWallet():
            return decide_wallet(command, books, source.new_id, source.new_reference)
        case ChangeWallet():
            return decide_change(command, books)
        case ReplayDeadLetter(original=original):
            return _apply_rule(original, command_id, books, source)
        case DiscardDeadLetter():
            return decide_discard(command)
        case _:
            assert_never(command)


def keys_of(command: Command) -> Iterable[KeySpace]:
    """Every idempotency key that the command wants to use up, each once."""
    match command:
        case PostTransfer() | ReverseTransfer():
            return (KeySpace(TRANSFERS, command.external_unique_id),)
        case PostTransferGroup():
            keys = [KeySpace(TRANSFERS, t.external_unique_id) for t in command.transfers]
            if command.external_unique_id is not None:
                keys.insert(0, KeySpace(GROUPS, command.external_unique_id))
            return dict.fromkeys(keys)
        case PlaceReservation():
            return (KeySpace(RESERVATIONS, command.external_unique_id),)
        case CreateWallet():
            return (KeySpace(WALLETS, command.external_unique_id),)
        case ReplayDeadLetter(original=original):
            return keys_of(original)
        case (
            ChangeWallet()
            | ReleaseReservation()
            | ReleaseSession()
            | DiscardDeadLetter()
            # Refused unread: its transfers' keys are not known.
            | PostStagedBatch()
        ):
            return ()
        case _:
            assert_never(command)


def refused_keys(
    submission: Submission, rejection: Rejection, books: Books
) -> tuple[KeySpace, ...]:
    """The keys under which the refusal of the command is remembered (rule 7).

    Not those that are on the ledger: they refuse later commands by themselves. Nor those that the
    bank side keeps, where others have named them: others are refused each time anew, and what it
    asks for itself is not to meet what anybody else was told.
    """
    if rejection.code in SILENT_ON_KEYS:
        return ()
    keys = (key for key in keys_of(submission.command) if not books.is_taken(key))
    if submission.actor == kept.KEEPER:
        return tuple(keys)
    return tuple(key for key in keys if not kept.is_kept(key))
