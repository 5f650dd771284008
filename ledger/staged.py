"""Lines of bulk files as they are kept between arriving and being posted.

A lot is some hundred lines in one row: msgpack arrays, in the file's order. The lines of a file
that is applied all at once are also the consumer's business, so this is the ledger's own format.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from ledger.commands import (
    Command,
    CreateWallet,
    PostStagedBatch,
    PostTransfer,
    PostTransferGroup,
    ReplayDeadLetter,
)
from ledger.database import Queries
from ledger.rejections import Code, Rejection
from ledger.sql import BATCHES as SQL

#: All-or-nothing files are one transaction: no more lines than it can take in a second or so.
ATOMIC_LINES: Final = 10_000


class Word(StrEnum):
    """What became of a line."""

    POSTED = "POSTED"
    REJECTED = "REJECTED"
    INVALID = "INVALID"
    """It could not be read; nothing was sent."""
    EXPIRED = "EXPIRED"
    """Not reached before the file's last time."""
    CANCELLED = "CANCELLED"
    """Never sent, or undone with the others of its file."""


class Flaw(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Why a line is no command."""

    code: str
    detail: str
    key: str | None = None
    """The line's ``externalUniqueId``, where that much could be read."""


class StagedLine(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A line that was read: a command, or a flaw."""

    number: int
    """In the file, from 1, counting header and blank lines."""
    command: PostTransfer | CreateWallet | None = None
    flaw: Flaw | None = None

    @property
    def key(self) -> str | None:
        if self.command is not None:
            return self.command.external_unique_id
        return None if self.flaw is None else self.flaw.key


class LineResult(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The last word on a line."""

    number: int
    key: str | None
    word: Word
    subject_id: UUID | None = None
    """The transfer, or the wallet, that was made."""
    code: str | None = None
    detail: str | None = None


_encoder: Final = msgspec.msgpack.Encoder(uuid_format="bytes")
_lines: Final = msgspec.msgpack.Decoder(list[StagedLine])
_results: Final = msgspec.msgpack.Decoder(list[LineResult])


def encode_lines(lines: Sequence[StagedLine]) -> bytes:
    return _encoder.encode(lines)


def decode_lines(body: bytes) -> list[StagedLine]:
    return _lines.decode(body)


def encode_results(results: Sequence[LineResult]) -> bytes:
    return _encoder.encode(results)


def decode_results(body: bytes) -> list[LineResult]:
    return _results.decode(body)


def digest_of(bodies: Iterable[bytes]) -> bytes:
    """What a command names the lines by, beside their file: 32 bytes."""
    digest = hashlib.sha256()
    for body in bodies:
        digest.update(body)
    return digest.digest()


#: Commands that may only name their transfers; all others are what ``expanded`` makes of them.
NAMING: Final = (PostStagedBatch, ReplayDeadLetter)


async def expanded(connection: Queries, command: Command) -> Command | Rejection:
    """The command with the transfers themselves in place of a file that is only named."""
    match command:
        case PostStagedBatch():
            return await _group(connection, command)
        case ReplayDeadLetter(original=PostStagedBatch() as named):
            group = await _group(connection, named)
            if isinstance(group, Rejection):
                return group
            return msgspec.structs.replace(command, original=group)
        case _:
            return command


async def _group(connection: Queries, command: PostStagedBatch) -> PostTransferGroup | Rejection:
    """The group that the command stands for. It is decided by the rules of any other, and only
    was too large to travel. A refusal where its lines are not those that were named."""
    bodies = [row["body"] for row in await connection.fetch(SQL.bodies, command.batch_id)]
    if digest_of(bodies) != command.digest:
        return Rejection(
            Code.INVALID_REQUEST, f"the lines of batch {command.batch_id} are not there any more"
        )
    lines = [line.command for body in bodies for line in decode_lines(body)]
    return PostTransferGroup(tuple(c for c in lines if isinstance(c, PostTransfer)))
