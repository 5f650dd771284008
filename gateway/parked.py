"""Dead letters as documents: what was parked, why, and what became of it."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct
from pydantic.alias_generators import to_camel

from gateway.answers import Answers
from ledger.commands import Command, DiscardDeadLetter, Original, ReplayDeadLetter
from ledger.dead_letters import DeadLetter, Parked, Reason, Resolution, submission_of
from ledger.outcomes import DeadLetterDiscarded
from topology.command_ids import CommandIds
from topology.documents import Document, text, timestamp


class Letters:
    """Writes dead letters down."""

    def __init__(self, answers: Answers, command_ids: CommandIds, trace_id: str) -> None:
        self._answers, self._command_ids, self._trace_id = answers, command_ids, trace_id

    def summary(self, parked: Parked) -> Document:
        letter = parked.letter
        submission = submission_of(letter)
        command = None if submission is None else submission.command
        return {
            "deadLetterId": str(letter.dead_letter_id),
            "status": _status(parked),
            "created": timestamp(parked.created),
            "layout": letter.layout,
            "partition": letter.partition,
            "reason": letter.reason,
            "commandId": letter.command_id and self._command_ids.token(letter.command_id),
            "type": None if command is None else type(_unwrapped(command)).__name__,
            "actor": None if submission is None else submission.actor,
            "replayOf": text(_replay_of(command)),
            "resolution": parked.resolution and self._resolution(parked.resolution),
        }

    def whole(self, parked: Parked) -> Document:
        letter = parked.letter
        submission = submission_of(letter)
        return {
            **self.summary(parked),
            "command": submission and members_of(_unwrapped(submission.command)),
            "message": None if submission else _unreadable(letter),
            "traceback": letter.traceback,
        }

    def _resolution(self, resolution: Resolution) -> Document:
        outcome = resolution.outcome
        answer = self._answers.decided(outcome.command_id, outcome.result, self._trace_id)
        result = outcome.result
        return {
            "actor": outcome.actor,
            "actorName": resolution.actor_name,
            "resolved": timestamp(outcome.decided),
            "commandId": self._command_ids.token(outcome.command_id),
            "reason": result.reason if isinstance(result, DeadLetterDiscarded) else None,
            "outcome": {"httpStatus": answer.status, "body": answer.content},
        }


def reason_document(reason: Reason) -> Document:
    return {
        "reason": reason.reason,
        "open": reason.open,
        "resolved": reason.resolved,
        "first": timestamp(reason.first),
        "last": timestamp(reason.last),
        "latestDeadLetterId": str(reason.latest_id),
    }


def replayable(letter: DeadLetter) -> Original | None:
    """What a replay of the letter sends; None where there is nothing to send."""
    submission = submission_of(letter)
    command = None if submission is None else _unwrapped(submission.command)
    # A discard that broke the consumer is simply asked for again.
    return None if isinstance(command, DiscardDeadLetter) else command


def members_of(struct: Struct) -> Document:
    """A command's members by name; those that are not set are left out."""
    members = ((name, getattr(struct, name)) for name in struct.__struct_fields__)
    return {to_camel(name): _plain(value) for name, value in members if value is not None}


def _plain(value: object) -> object:
    match value:
        case Struct():
            return members_of(value)
        case tuple():
            return [_plain(item) for item in value]
        case Decimal():
            return f"{value:f}"
        case datetime():
            return timestamp(value)
        case Mapping():
            return dict(value)
        case _:
            return str(value)


def _unwrapped(command: Command) -> Original | DiscardDeadLetter:
    return command.original if isinstance(command, ReplayDeadLetter) else command


def _replay_of(command: Command | None) -> object:
    return command.dead_letter_id if isinstance(command, ReplayDeadLetter) else None


def _status(parked: Parked) -> str:
    if parked.resolution is None:
        return "OPEN"
    discarded = isinstance(parked.resolution.outcome.result, DeadLetterDiscarded)
    return "DISCARDED" if discarded else "REPLAYED"


def _unreadable(letter: DeadLetter) -> str:
    raw = letter.message if letter.submission is None else letter.submission.encode()
    return b64encode(raw or b"").decode()
