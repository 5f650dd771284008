"""What travels: many commands per message to a partition, many outcomes per message back; and one
reconciliation per message, which only names what is to be compared.

msgpack arrays, versioned. A reader that meets another version refuses the message; both sides of a
rolling upgrade therefore have to understand the older one until the queues are drained.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from ledger.commands import Submission
from ledger.outcomes import Outcome
from topology.errors import Malformed

#: Limits of one command message; a larger command has to be staged and named.
MAX_COMMANDS: Final = 512
MAX_BYTES: Final = 256 * 1024

_VERSION: Final = 1


class CommandMessage(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False
):
    version: Literal[1]
    layout: int
    sent: datetime
    """When the producer sent it, in database time: tells how long it waited in the queue."""
    reply_to: Annotated[str, Meta(pattern="^[ -~]{1,255}$")] | None
    """The queue that gets the outcomes; None where nobody waits."""
    submissions: tuple[Submission, ...]


class OutcomeMessage(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False
):
    version: Literal[1]
    outcomes: tuple[Outcome, ...]


class ReconciliationMessage(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, array_like=True, gc=False
):
    version: Literal[1]
    reconciliation_id: Annotated[str, Meta(min_length=1, max_length=100)]


_encoder = msgspec.msgpack.Encoder(uuid_format="bytes")
_commands = msgspec.msgpack.Decoder(CommandMessage)
_outcomes = msgspec.msgpack.Decoder(OutcomeMessage)
_reconciliations = msgspec.msgpack.Decoder(ReconciliationMessage)


def encode_submission(submission: Submission) -> bytes:
    """One command's part of a message, encoded ahead so that its size is known."""
    return _encoder.encode(submission)


def encode_commands(
    layout: int, sent: datetime, reply_to: str | None, submissions: Iterable[bytes]
) -> bytes:
    """A command message from submissions that ``encode_submission`` made."""
    raw = [msgspec.Raw(s) for s in submissions]
    return _encoder.encode((_VERSION, layout, sent, reply_to, raw))


def decode_commands(body: bytes) -> CommandMessage:
    """Raises ``Malformed``."""
    try:
        return _commands.decode(body)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"not a command message: {error}") from error


def encode_outcomes(outcomes: Sequence[Outcome]) -> bytes:
    return _encoder.encode(OutcomeMessage(_VERSION, tuple(outcomes)))


def decode_outcomes(body: bytes) -> Sequence[Outcome]:
    """Raises ``Malformed``."""
    try:
        return _outcomes.decode(body).outcomes
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"not an outcome message: {error}") from error


def encode_reconciliation(reconciliation_id: str) -> bytes:
    return _encoder.encode(ReconciliationMessage(_VERSION, reconciliation_id))


def decode_reconciliation(body: bytes) -> str:
    """The id of what is to be compared. Raises ``Malformed``."""
    try:
        return _reconciliations.decode(body).reconciliation_id
    except (msgspec.DecodeError, RecursionError) as error:
        raise Malformed(f"not a reconciliation message: {error}") from error
