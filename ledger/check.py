"""What would become of a command now: the rules themselves, on books that are only looked at.

Nothing is locked or written, so that only a snapshot (REPEATABLE READ) shows its several statements
the same books.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final
from uuid import UUID

import uuid_utils.compat

from ledger import kept
from ledger.commands import Command, PostTransfer, Submission
from ledger.database import Queries
from ledger.decide import Source, decide
from ledger.load import Needs, load
from ledger.rejections import Rejection
from ledger.staged import expanded
from ledger.transfers import decide_transfer

_NOBODY = UUID(int=0)
#: What is made here is thrown away; only a group needs its ids to differ.
_SOURCE: Final = Source(new_id=uuid_utils.compat.uuid7, new_reference=str)


async def check_transfer(snapshot: Queries, command: PostTransfer) -> Rejection | None:
    """The refusal that the transfer would meet, or None."""
    loaded = await load(snapshot, Needs.of([command]), lock=False)
    result = decide_transfer(command, loaded.books, _NOBODY, lambda: _NOBODY)
    result = kept.refuse(result, "", loaded.books) or result
    return result if isinstance(result, Rejection) else None


async def check_command(snapshot: Queries, command: Command) -> Rejection | None:
    """The refusal that the command would meet if it were sent and decided now, or None. Raises
    what it would break."""
    found = await expanded(snapshot, command)
    if isinstance(found, Rejection):
        return found
    command = found
    books = (await load(snapshot, Needs.of([command]), lock=False)).books
    submission = Submission(
        command_id=_NOBODY,
        issued=books.at,
        deadline=books.at + timedelta(seconds=1),
        actor="",
        command=command,
    )
    result = decide(submission, books, _SOURCE)
    return result if isinstance(result, Rejection) else None
