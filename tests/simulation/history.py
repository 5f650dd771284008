"""What callers asked for and what they heard, in the order in which they asked.

One record per HTTP call. ``monotonic`` times order the calls of one run (all its clients share one
process, so they share that clock); ``wall`` times compare with the times in the books, whose server
runs on the same machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any


class Kind(StrEnum):
    """What a call asks for. ``READS`` move nothing."""

    TRANSFER = "transfer"
    REVERSAL = "reversal"
    GROUP = "group"
    RESERVE = "reserve"
    RELEASE = "release"
    RELEASE_SESSION = "release-session"
    WALLET = "wallet"
    BALANCE = "balance"
    ENTRIES = "entries"
    FIND = "find"


READS = frozenset({Kind.BALANCE, Kind.ENTRIES, Kind.FIND})


class Heard(StrEnum):
    """How a call ended, as far as its caller can know."""

    OK = "ok"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class Settled:
    """What an unknown call turned out to have done, by one way of asking.

    ``applied`` is the truth found, ``word`` how it was put (APPLIED, duplicate-transfer, absent …).
    """

    applied: bool
    word: str
    monotonic_s: float
    status: int | None = None
    body: Mapping[str, Any] | None = None
    """Status and body that ``/v1/commands`` says the call was, or would have been, answered."""


@dataclass(slots=True)
class Operation:
    """One call. Amounts in minor units; ``request`` holds what its kind needs:

    transfer: from, to, amount, session · reversal: original, amount (or None: what is left) ·
    group: members, each like a transfer with its key · reserve: wallet, amount, session, expires ·
    release: wallet, reservation · release-session: wallet, session · wallet: type, minimum ·
    balance, entries: wallet (entries also after) · find: nothing more.
    """

    number: int
    client: str
    kind: Kind
    key: str | None
    request: Mapping[str, Any]
    wait_s: float | None
    """How long the caller lets the system wait; None for respond-async and reads."""
    deadline_s: float | None
    """The deadline that a respond-async call named, from its invocation; None: a day."""
    invoked_s: float
    invoked_wall: float
    completed_s: float | None = None
    completed_wall: float | None = None
    heard: Heard = Heard.UNKNOWN
    status: int | None = None
    code: str | None = None
    command_id: str | None = None
    answer: Mapping[str, Any] | None = None
    error: str | None = None
    by_command: Settled | None = None
    by_key: Settled | None = None

    @property
    def is_read(self) -> bool:
        return self.kind in READS

    @property
    def ended_s(self) -> float:
        """When it ended; for ever, where nothing was heard."""
        return float("inf") if self.completed_s is None else self.completed_s


@dataclass(slots=True)
class History:
    """All calls of a run, in the order of their invocation."""

    operations: list[Operation] = field(default_factory=list)

    def invoke(
        self,
        client: str,
        kind: Kind,
        *,
        key: str | None = None,
        request: Mapping[str, Any],
        wait_s: float | None = None,
        deadline_s: float | None = None,
    ) -> Operation:
        """Record a call just before it is made."""
        operation = Operation(
            number=len(self.operations),
            client=client,
            kind=kind,
            key=key,
            request=request,
            wait_s=wait_s,
            deadline_s=deadline_s,
            invoked_s=time.monotonic(),
            invoked_wall=time.time(),
        )
        self.operations.append(operation)
        return operation

    def answered(
        self,
        operation: Operation,
        status: int,
        answer: Mapping[str, Any] | None,
        command_id: str | None,
    ) -> None:
        """Record the answer just after it came."""
        _complete(operation)
        operation.status = status
        operation.answer = answer
        operation.command_id = command_id
        operation.code = None if answer is None else answer.get("code")
        operation.heard = heard_of(status, command_id)

    def broken(self, operation: Operation, error: BaseException) -> None:
        """Record that no answer came: whether the call was carried out is unknown."""
        _complete(operation)
        operation.error = f"{type(error).__name__}: {error}"
        operation.heard = Heard.UNKNOWN

    def writes(self) -> Iterator[Operation]:
        return (operation for operation in self.operations if not operation.is_read)

    def write(self, path: Path) -> None:
        """As NDJSON, one call a line."""
        with path.open("w") as file:
            for operation in self.operations:
                file.write(json.dumps(asdict(operation), default=str) + "\n")


def heard_of(status: int, command_id: str | None) -> Heard:
    """What an HTTP status means to a caller (the contract's words on 201, 202, 4xx, 503, 504)."""
    if status == 202:
        return Heard.UNKNOWN
    if status < 300:
        return Heard.OK
    if status == 500 and command_id is None:
        # The gateway itself broke: only the key can tell what became of it.
        return Heard.UNKNOWN
    return Heard.FAIL


def _complete(operation: Operation) -> None:
    operation.completed_s = time.monotonic()
    operation.completed_wall = time.time()
