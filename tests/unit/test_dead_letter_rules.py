"""Dead letters: each is resolved once, and a replay is its command in everything else."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest

from ledger.books import TRANSFERS, KeySpace, Refusal
from ledger.commands import Command, DiscardDeadLetter, ReplayDeadLetter
from ledger.outcomes import DeadLetterDiscarded, Outcome, Result, TransferPosted
from ledger.rejections import Code, Rejection
from ledger.resolutions import resolve
from tests.unit.rulebooks import NOW, RuleBooks, transfer

LETTER, OTHER, COMMAND = UUID(int=7), UUID(int=8), UUID(int=9)
PAYMENT = transfer("alice", "bob", "60")
REPLAY = ReplayDeadLetter(LETTER, PAYMENT)
DISCARD = DiscardDeadLetter(LETTER, "paid by hand")
EITHER = pytest.mark.parametrize("command", [REPLAY, DISCARD], ids=["replay", "discard"])


@pytest.fixture
def rules() -> RuleBooks:
    books = RuleBooks()
    books.wallet("alice", "100")
    books.wallet("bob")
    books.books.letters[LETTER] = None
    return books


def code(result: Result) -> Code | None:
    return result.code if isinstance(result, Rejection) else None


def resolved(rules: RuleBooks, command: Command, result: Result) -> list[tuple[UUID, UUID]]:
    outcome = Outcome(COMMAND, 1, 1, NOW, result, "test")
    return resolve(command, outcome, rules.books)


def test_a_replay_does_what_its_command_asks_for(rules: RuleBooks) -> None:
    result = rules.decide(REPLAY)
    assert isinstance(result, TransferPosted)
    assert result.transfer.external_unique_id == PAYMENT.external_unique_id
    assert resolved(rules, REPLAY, result) == [(LETTER, COMMAND)]


def test_a_discard_keeps_its_reason(rules: RuleBooks) -> None:
    result = rules.decide(DISCARD)
    assert result == DeadLetterDiscarded(LETTER, "paid by hand")
    assert resolved(rules, DISCARD, result) == [(LETTER, COMMAND)]


@EITHER
def test_once_and_no_more(rules: RuleBooks, command: Command) -> None:
    rules.books.letters[LETTER] = OTHER
    result = rules.decide(command)
    assert code(result) is Code.DEAD_LETTER_RESOLVED
    assert resolved(rules, command, result) == []
    assert rules.books.letters[LETTER] == OTHER


@EITHER
def test_the_second_of_one_batch_meets_the_first(rules: RuleBooks, command: Command) -> None:
    assert resolved(rules, REPLAY, rules.decide(REPLAY))
    assert code(rules.decide(command)) is Code.DEAD_LETTER_RESOLVED


@EITHER
def test_there_has_to_be_one(rules: RuleBooks, command: Command) -> None:
    del rules.books.letters[LETTER]
    result = rules.decide(command)
    assert code(result) is Code.DEAD_LETTER_NOT_FOUND
    assert resolved(rules, command, result) == []


@EITHER
def test_too_late_leaves_the_letter_open(rules: RuleBooks, command: Command) -> None:
    result = rules.decide(command, deadline=NOW)
    assert code(result) is Code.DEADLINE_EXCEEDED
    assert resolved(rules, command, result) == []


def test_a_refusal_is_the_word_the_command_never_got(rules: RuleBooks) -> None:
    command = ReplayDeadLetter(LETTER, transfer("alice", "bob", "100.01"))
    result = rules.decide(command)
    assert code(result) is Code.INSUFFICIENT_FUNDS
    assert resolved(rules, command, result) == [(LETTER, COMMAND)]


def test_a_key_that_was_used_since_moves_nothing(rules: RuleBooks) -> None:
    rules.decide(PAYMENT)
    result = rules.decide(REPLAY)
    assert isinstance(result, Rejection)
    assert (result.code, result.same_payload) == (Code.DUPLICATE_TRANSFER, True)
    assert resolved(rules, REPLAY, result) == [(LETTER, COMMAND)]


def refuse(rules: RuleBooks, letter: UUID | None) -> None:
    """The books remember that the payment's key was refused a moment from now."""
    rejection = Rejection(Code.INTERNAL, "parked", dead_letter_id=letter)
    key = KeySpace(TRANSFERS, PAYMENT.external_unique_id)
    rules.books.refusals[key] = Refusal(NOW + timedelta(milliseconds=1), rejection)


def test_its_own_letter_does_not_refuse_a_replay_whose_clock_is_behind(rules: RuleBooks) -> None:
    refuse(rules, LETTER)
    assert isinstance(rules.decide(REPLAY), TransferPosted)


@pytest.mark.parametrize("letter", [OTHER, None])
def test_any_later_refusal_of_the_key_does(rules: RuleBooks, letter: UUID | None) -> None:
    refuse(rules, letter)
    assert code(rules.decide(REPLAY)) is Code.INTERNAL


def test_a_replay_parked_again_after_another_won_resolves_nothing(rules: RuleBooks) -> None:
    broken = Rejection(Code.INTERNAL, "parked", dead_letter_id=OTHER)
    assert resolved(rules, REPLAY, broken) == [(LETTER, COMMAND)]
    assert resolved(rules, REPLAY, broken) == []
