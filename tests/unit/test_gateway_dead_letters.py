"""Parked commands, read back from the books and shown by name."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID

import msgspec
import pytest

from gateway.parked import members_of, replayable
from ledger import dead_letters
from ledger.commands import (
    ChangeWallet,
    Command,
    DiscardDeadLetter,
    PostTransfer,
    ReplayDeadLetter,
    Submission,
    WalletRef,
)
from tests.unit.test_wire import COMMANDS, DEAD_LETTERS

ONE = UUID(int=1)
MOMENT = datetime(2026, 3, 1, 12, 30, 45, 123456, tzinfo=UTC)
EVERY = [command for command, _ in COMMANDS + DEAD_LETTERS]


def parked(command: Command) -> dead_letters.DeadLetter:
    submission = Submission(ONE, MOMENT, MOMENT, "key-1", command)
    return dead_letters.of_command(1, 3, submission, ValueError("a defect"))


@pytest.mark.parametrize("command", EVERY, ids=lambda c: type(c).__name__)
def test_every_command_is_read_back_as_it_was_parked(command: Command) -> None:
    submission = dead_letters.submission_of(parked(command))
    assert submission is not None
    assert submission.command == command
    original = replayable(parked(command))
    match command:
        case ReplayDeadLetter():
            assert original == command.original
        case DiscardDeadLetter():
            assert original is None
        case _:
            assert original == command


@pytest.mark.parametrize("command", EVERY, ids=lambda c: type(c).__name__)
def test_every_command_is_shown_with_its_members(command: Command) -> None:
    document = members_of(command)
    # Plain enough for JSON, without any help.
    assert msgspec.json.decode(msgspec.json.encode(document)) == document


def test_what_is_not_set_is_left_out_and_amounts_are_plain() -> None:
    ref = WalletRef(external_unique_id="wallet-9")
    command = PostTransfer(WalletRef(ONE), ref, Decimal("1E+2"), "key-000001", metadata={"a": "b"})
    assert members_of(command) == {
        "fromWallet": {"walletId": str(ONE)},
        "toWallet": {"externalUniqueId": "wallet-9"},
        "amount": "100",
        "externalUniqueId": "key-000001",
        "metadata": {"a": "b"},
    }


def test_what_another_version_wrote_is_not_replayed() -> None:
    """It is shown as it lies there, and can only be discarded."""
    letter = parked(ChangeWallet(ONE))._replace(submission='["not", "ours"]')
    assert dead_letters.submission_of(letter) is None
    assert replayable(letter) is None
