"""What was answered binds what may be answered later (rule 7 of the books)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from ledger.commands import (
    Command,
    CreateWallet,
    PlaceReservation,
    PostTransfer,
    PostTransferGroup,
    ReverseTransfer,
    Submission,
)
from ledger.outcomes import Outcome
from ledger.rejections import Rejection

Key = tuple[str, str]

#: What is said about a command whatever its key's history is.
BEFORE_HISTORY = (
    "deadline-exceeded",
    "invalid-request",
    "invalid-amount",
    "duplicate-wallet",
    "duplicate-transfer",
    "duplicate-reservation",
    "duplicate-group",
)


class History:
    """Every outcome by its command id, every refusal by the keys it named."""

    def __init__(self) -> None:
        self.outcomes: dict[UUID, Outcome] = {}
        self._refusals: dict[Key, list[tuple[datetime, Rejection]]] = {}

    def record(
        self, submission: Submission, outcome: Outcome, taken: Callable[[str, str], bool]
    ) -> None:
        """Take an outcome down. A key that is on the ledger needs no refusal to be refused."""
        self.outcomes[submission.command_id] = outcome
        if isinstance(outcome.result, Rejection):
            for key in keys_of(submission.command):
                if not taken(*key):
                    refusals = self._refusals.setdefault(key, [])
                    refusals.append((outcome.decided, outcome.result))

    def binding(self, submission: Submission) -> list[Rejection]:
        """The latest refusal of each of its keys, where the command was issued before it.

        Several of one moment are equally good.
        """
        bound = []
        for key in keys_of(submission.command):
            refusals = self._refusals.get(key, [])
            latest = max((at for at, _ in refusals), default=None)
            if latest is not None and submission.issued <= latest:
                bound += [refusal for at, refusal in refusals if at == latest]
        return bound


def keys_of(command: Command) -> list[Key]:
    """The idempotency keys that a command brings, in their spaces."""
    match command:
        case PostTransfer(external_unique_id=key) | ReverseTransfer(external_unique_id=key):
            return [("transfer", key)]
        case PostTransferGroup(transfers=transfers, external_unique_id=group):
            keys = [("transfer", t.external_unique_id) for t in transfers]
            return keys if group is None else [("group", group), *keys]
        case PlaceReservation(external_unique_id=key):
            return [("reservation", key)]
        case CreateWallet(external_unique_id=key):
            return [("wallet", key)]
        case _:
            return []
