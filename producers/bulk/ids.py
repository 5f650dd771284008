"""Command ids of a file's lines: the same whenever they are made again."""

from __future__ import annotations

import hashlib
import re
from datetime import datetime
from typing import Final
from uuid import UUID

from ledger.deployment import Layout
from topology.command_ids import command_id_of

#: What a file may be called: good in a path, and good as a place in a list.
BATCH_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
#: Parts of a command id, in bytes: what it starts with and what it ends with.
_DEADLINE: Final = 6
_UNIQUE: Final = 8


def line_command_id(
    batch_id: str, line: int, attempt: int, layout: Layout, partition: int, deadline: datetime
) -> UUID:
    """``attempt`` counts how often the ledger refused the line only because the partitions had
    changed while it was on its way. Line 0 is the file as a whole."""
    unique = _unique(batch_id, line, attempt)
    return command_id_of(layout.number, partition, deadline, unique)


def attempt_of(
    batch_id: str, line: int, command_id: UUID, attempts: int, deadline: datetime
) -> int | None:
    """Which attempt of the line a command was, None where it was none of its. The deadline is the
    file's: an earlier file, forgotten since, may have had the same id, but never the same deadline
    (``not_after`` lies within 30 days, files are kept for 90)."""
    under_any = command_id_of(0, 0, deadline, bytes(_UNIQUE))
    if command_id.bytes[:_DEADLINE] != under_any.bytes[:_DEADLINE]:
        return None
    unique = command_id.bytes[-_UNIQUE:]
    return next((a for a in range(attempts) if _unique(batch_id, line, a) == unique), None)


def _unique(batch_id: str, line: int, attempt: int) -> bytes:
    name = f"{batch_id}\n{line}\n{attempt}".encode()
    return hashlib.blake2b(name, digest_size=_UNIQUE).digest()
