"""Getting a batch into the books whatever happens on the way.

Every way a transaction can fail has one answer: lost to another owner (drop that part), connection
gone or server busy (the same again, in place: requeueing would break the order), or a defect (the
whole once more, then halves, until the one command that breaks it is alone and can be parked).
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
import structlog

from consumers import metrics
from consumers.partition import Partition
from consumers.writer import Stopping, Writer
from ledger import dead_letters
from ledger.database import UNREACHABLE
from ledger.dead_letters import DeadLetter
from ledger.execute import Assigned, execute, park_message
from ledger.fence import FenceLost
from ledger.outcomes import Outcome
from ledger.transaction import CommitUnknown

_BACK_OFF_S: Final = 0.05
_BACK_OFF_MAX_S: Final = 2.0

#: The server is going away, coming back, short of something, or resolved a conflict against us: the
#: same transaction may succeed later.
TRANSIENT: Final = (
    *UNREACHABLE,
    CommitUnknown,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.LockNotAvailableError,
    asyncpg.TransactionRollbackError,
    asyncpg.ReadOnlySQLTransactionError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.PostgresSystemError,
    # No statement of ours raises these, only connecting: a server that is being moved or restored.
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)

_log = structlog.get_logger(__name__)


class Part(NamedTuple):
    """Some of a batch's commands, to be run as one transaction."""

    commands: Sequence[Assigned]
    failed: bool = False
    """Met a defect once already: the next one halves it."""


@dataclass(slots=True)
class Applied:
    """What became of a batch."""

    outcomes: dict[UUID, Outcome]
    lost: frozenset[int]
    """Partitions that another process owns: their commands are none of our business any more."""
    at_once: list[Outcome] | None = None
    """All outcomes, as ``meanwhile`` was given them, where the batch was one transaction."""


async def apply(
    writer: Writer,
    batch: Sequence[Assigned],
    meanwhile: Callable[[list[Outcome]], None] | None = None,
) -> Applied:
    """Decide every command of the batch, except those of partitions that were lost.

    ``meanwhile`` may work on what will be the outcomes while the database commits them. Returns
    only when all is done: an unreachable database is waited for. Raises ``Stopping``.
    """
    outcomes: dict[UUID, Outcome] = {}
    at_once: list[Outcome] | None = None
    lost: frozenset[int] = frozenset()
    parts = [Part(batch)]
    attempt = 0
    while parts:
        part = parts.pop()
        commands = [a for a in part.commands if a.partition not in lost]
        if not commands:
            continue
        try:
            connection = await writer.begun_connection()
            whole = len(commands) == len(batch)
            found = await execute(
                connection,
                writer.fence,
                commands,
                meanwhile if whole else None,
                writer.turns.heed,
            )
            outcomes |= {outcome.command_id: outcome for outcome in found}
            at_once = found if whole else None
            attempt = 0
        except FenceLost as error:
            lost |= error.partitions
            parts.append(part)
        except asyncpg.LockNotAvailableError:
            # Somebody holds a wallet for long: the commands that do not need it go on without.
            parts += _halves(commands)
            await _pause(writer, attempt := attempt + 1, "lock_timeout")
        except TRANSIENT as error:
            _log.warning("apply.transient", error=repr(error), commands=len(commands))
            writer.heed(error)
            parts.append(part)
            await _pause(writer, attempt := attempt + 1, type(error).__name__)
        except Exception as error:
            metrics.RETRIES.labels(cause="defect").inc()
            letter = commands[0].dead_letter
            if letter is not None:
                # Not even its refusal can be written. Without an outcome it expires, like a
                # message that cannot be read; the partition goes on.
                lost |= await park(writer, letter)
            else:
                parts += _isolate(writer.fence.layout, Part(commands, part.failed), error)
        lost |= writer.take_lost()
    return Applied(outcomes, lost, at_once)


async def take_over(writer: Writer, partition: Partition) -> int | None:
    """Become the partition's owner; answers the epoch, None where its channel closed meanwhile.

    Raises ``heads.Unowned`` or ``Stopping``.
    """
    attempt = 0
    while not partition.lost:
        try:
            return await writer.take_over(partition.number)
        except TRANSIENT as error:
            _log.warning("apply.take_over", partition=partition.number, error=repr(error))
            writer.heed(error)
            await _pause(writer, attempt := attempt + 1, type(error).__name__)
    return None


async def park(writer: Writer, letter: DeadLetter) -> frozenset[int]:
    """Park a message that cannot be read; answers the partitions that were lost meanwhile."""
    attempt = 0
    while True:
        try:
            await park_message(await writer.connection(), writer.fence, letter)
        except FenceLost as error:
            return error.partitions
        except TRANSIENT as error:
            _log.warning("apply.transient", error=repr(error))
            writer.heed(error)
            await _pause(writer, attempt := attempt + 1, type(error).__name__)
        else:
            metrics.DEAD_LETTERS.inc()
            return writer.take_lost()


def _isolate(layout: int, part: Part, error: Exception) -> list[Part]:
    """What to run next after a defect; in the order of a stack, the last one first."""
    if not part.failed:
        return [Part(part.commands, failed=True)]
    if len(part.commands) > 1:
        return [Part(half.commands, failed=True) for half in _halves(part.commands)]
    (assigned,) = part.commands
    _log.error(
        "apply.dead_letter",
        command_id=str(assigned.submission.command_id),
        partition=assigned.partition,
        exc_info=error,
    )
    metrics.DEAD_LETTERS.inc()
    return [Part([_parked(layout, assigned, error)], failed=True)]


def _parked(layout: int, assigned: Assigned, error: Exception) -> Assigned:
    """The command turned into its own refusal. Its actor may be what PostgreSQL cannot store."""
    submission = assigned.submission
    letter = dead_letters.of_command(layout, assigned.partition, submission, error)
    if not submission.actor.isprintable():
        submission = msgspec.structs.replace(submission, actor="?")
    return replace(
        assigned,
        submission=submission,
        refused=dead_letters.refusal(letter),
        dead_letter=letter,
    )


def _halves(commands: Sequence[Assigned]) -> list[Part]:
    """Two parts in the order of a stack: the first half comes last, and so runs first."""
    middle = len(commands) // 2
    halves = (commands[middle:], commands[:middle])
    return [Part(half) for half in halves if half]


async def _pause(writer: Writer, attempt: int, cause: str) -> None:
    """Longer each time, and not in step with other consumers. Raises ``Stopping``."""
    if writer.stopping:
        raise Stopping
    metrics.RETRIES.labels(cause=cause).inc()
    longest = min(_BACK_OFF_MAX_S, _BACK_OFF_S * 2 ** min(attempt, 10))
    await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311  jitter, not a secret
