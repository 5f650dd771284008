"""Sending a command and waiting for what becomes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from ledger.commands import Command, Submission
from ledger.deployment import Deployment
from ledger.outcomes import Outcome
from producers.clock import DatabaseClock
from producers.intake import Intake
from producers.publisher import Parcel, Publisher
from producers.replies import Replies, Waiter
from topology.command_ids import CommandIds, new_command_id, whole_milliseconds
from topology.deadlines import (
    ASYNC_DEADLINE,
    FINAL_AFTER,
    WAIT_DEFAULT_S,
    deadline_after_s,
)
from topology.envelopes import MAX_BYTES, encode_submission
from topology.errors import Unavailable
from topology.partitions import partition_of

_MAX_IN_FLIGHT: Final = 10_000


@dataclass(frozen=True, slots=True)
class Answered:
    """The command was decided, this is the word."""

    command_id: UUID
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class Pending:
    """The command may have been accepted and is not decided yet, as far as we know.

    From ``final_by`` on its status is final, as soon as its partition's consumer runs.
    """

    command_id: UUID
    final_by: datetime


class Commands:
    """The write side of a gateway, or of any job that sends commands one by one."""

    def __init__(
        self,
        *,
        deployment: Deployment,
        clock: DatabaseClock,
        intake: Intake,
        publisher: Publisher,
        replies: Replies,
    ) -> None:
        self._layout = deployment.layout
        self._clock, self._intake = clock, intake
        self._publisher, self._replies = publisher, replies
        self.command_ids = CommandIds(deployment.command_id_secret)

    async def ask(
        self,
        command: Command,
        *,
        actor: str,
        wait_s: float,
        spent_s: float = 0.0,
        deadline: datetime | None = None,
        trace: str | None = None,
    ) -> Answered | Pending:
        """Send the command and wait for its outcome, ``wait_s`` at most, of which ``spent_s`` are
        over already.

        Its deadline is a little before the end of the wait, so that an abandoned call moves nothing
        later; ``deadline`` can only make it earlier. Raises ``Unavailable`` where the command was
        certainly not accepted.
        """
        until_s = asyncio.get_running_loop().time() + wait_s - spent_s
        within_s = deadline_after_s(wait_s) - spent_s
        if within_s <= 0:
            raise Unavailable("the time to wait was over before the command could be sent")
        last = self._clock.decision_time() + timedelta(seconds=within_s)
        deadline = last if deadline is None else min(last, deadline)
        submission = self._submission(command, deadline, actor, trace)
        if self._replies.waiting >= _MAX_IN_FLIGHT:
            raise Unavailable("too many commands are waiting for their outcome")
        waiter = self._replies.expect(submission.command_id, until_s)
        try:
            return await self._wait(waiter, self._send(submission), until_s, submission)
        finally:
            self._replies.forget(waiter)

    async def send(
        self,
        command: Command,
        *,
        actor: str,
        deadline: datetime | None = None,
        trace: str | None = None,
    ) -> Pending:
        """Send the command without waiting for its outcome; answers once the broker has it.

        Raises ``Unavailable`` where it is certain that the command was not accepted.
        """
        if deadline is None:
            deadline = self._clock.decision_time() + ASYNC_DEADLINE
        submission = self._submission(command, deadline, actor, trace)
        parcel = self._send(submission)
        try:
            # Shielded: giving up must not look like the broker's answer to the lane.
            async with asyncio.timeout(WAIT_DEFAULT_S):
                await asyncio.shield(parcel.fate)
        except TimeoutError:
            if parcel.withdraw():
                raise Unavailable("the broker did not take the command in time") from None
        except asyncio.CancelledError:
            parcel.withdraw()
            raise
        return _pending(submission)

    def _submission(
        self, command: Command, deadline: datetime, actor: str, trace: str | None
    ) -> Submission:
        """Raises ``Unavailable`` where the command's partition takes nothing at present."""
        deadline = whole_milliseconds(deadline)
        partition = partition_of(command, self._layout)
        self._intake.require_open(partition)
        return Submission(
            command_id=new_command_id(self._layout.number, partition, deadline),
            issued=self._clock.now(),
            deadline=deadline,
            actor=actor,
            command=command,
            trace=trace,
        )

    def _send(self, submission: Submission) -> Parcel:
        body = encode_submission(submission)
        if len(body) > MAX_BYTES:
            raise Unavailable("the command is too large for a message")
        return self._publisher.send(partition_of(submission.command, self._layout), body)

    async def _wait(
        self, waiter: Waiter, parcel: Parcel, until_s: float, submission: Submission
    ) -> Answered | Pending:
        """Until the outcome is there, the parcel is refused, or the time is up."""
        parcel.fate.add_done_callback(waiter.heed)
        try:
            async with asyncio.timeout_at(until_s):
                outcome = await waiter.outcome
        except TimeoutError:
            if parcel.withdraw():
                raise Unavailable("the broker did not take the command in time") from None
            return _pending(submission)
        except asyncio.CancelledError:
            parcel.withdraw()
            raise
        return Answered(submission.command_id, outcome)


def _pending(submission: Submission) -> Pending:
    return Pending(submission.command_id, submission.deadline + FINAL_AFTER)
