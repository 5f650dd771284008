"""One batch of commands, one transaction, one outcome each.

lock heads -> lock and load the books -> decide each command in order -> write -> commit. The rules
are elsewhere (``decide``); here is only the order of things, and what each failure means.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from itertools import pairwise
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
import uuid_utils
from asyncpg.pgproto.pgproto import UUID as ClientUUID  # noqa: N811  it is a class

from ledger import chain, lookup, staged
from ledger.behind import Behind
from ledger.books import Books
from ledger.commands import Submission
from ledger.dead_letters import DeadLetter, park
from ledger.decide import Source, decide, refused_keys
from ledger.events import event_count
from ledger.fence import Fence, Head, lock, lock_heads
from ledger.load import Needs, load
from ledger.outcomes import Outcome
from ledger.references import new_reference
from ledger.rejections import Rejection
from ledger.resolutions import resolve
from ledger.transaction import begin, commit, rollback
from ledger.write import Link, Writes

#: All statements before COMMIT together: several may have to wait for locks.
_STATEMENTS_TIMEOUT_S: Final = 20.0
#: A key race shows the other side's key on the next run; a second race needs a third writer.
_KEY_RACES: Final = 5
_KEYS: Final = frozenset(
    {
        "transfers_external_unique_id_key",
        "transfer_groups_external_unique_id_key",
        "wallets_external_unique_id_key",
        "wallets_reference_key",
        "reservations_external_unique_id_key",
        "dead_letter_resolutions_pkey",
    }
)

#: Enough that a slice is worth a round trip of its own.
SLICE: Final = 400
#: So many commands are decided without a look at the loop.
_TURN: Final = 50


def _new_id() -> UUID:
    # Of the class in which the database client has ids: three times as fast to make, and twice to
    # compare, to look up and to send as the standard library's own, of which it is a subclass.
    return ClientUUID(uuid_utils.uuid7().bytes)


_SOURCE: Final = Source(new_id=_new_id, new_reference=new_reference)


@dataclass(frozen=True, slots=True)
class Assigned:
    """A command in the partition it arrived in."""

    partition: int
    submission: Submission
    refused: Rejection | None = None
    """A refusal that no rule decided: the partition's layout is gone, or the command is a dead
    letter. Recorded all the same, unless the deadline has passed."""
    dead_letter: DeadLetter | None = None
    """Parked in the same transaction."""


async def execute(
    connection: asyncpg.Connection,
    fence: Fence,
    batch: Sequence[Assigned],
    meanwhile: Callable[[list[Outcome]], None] | None = None,
    locked: Callable[[float, int], None] | None = None,
) -> list[Outcome]:
    """Decide the batch in order and commit it; answers one outcome per command, in order.

    ``meanwhile`` is given what this will answer while COMMIT is under way, which is no promise yet;
    ``locked`` in how many seconds the batch got its heads and wallets, and how many these are.
    A command id that was decided before only gets its first outcome again. Raises ``FenceLost``
    (nothing written), ``CommitUnknown``, or whatever made PostgreSQL roll back; then the connection
    is outside any transaction, or closed.
    """
    for attempt in range(_KEY_RACES):
        try:
            async with asyncio.timeout(_STATEMENTS_TIMEOUT_S):
                await begin(connection)
                outcomes = await _run(connection, fence, batch, locked)
        except asyncpg.UniqueViolationError as error:
            await rollback(connection)
            if error.constraint_name not in _KEYS or attempt == _KEY_RACES - 1:
                raise
            # Another partition has just used one of the keys up; now it can be seen.
        except TimeoutError:
            connection.terminate()  # a server that does not answer will not answer this either
            raise
        except BaseException:
            await rollback(connection)
            raise
        else:
            await commit(connection, None if meanwhile is None else partial(meanwhile, outcomes))
            return outcomes
    raise AssertionError("unreachable")


async def _run(
    connection: asyncpg.Connection,
    fence: Fence,
    batch: Sequence[Assigned],
    locked: Callable[[float, int], None] | None,
) -> list[Outcome]:
    batch = [
        await _expanded(connection, a) if isinstance(a.submission.command, staged.NAMING) else a
        for a in batch
    ]
    needs = Needs.of(
        (a.submission.command for a in batch if a.refused is None),
        (a.submission.command for a in batch if a.refused is not None),
    )
    # Wallets that are named can only be looked up behind the heads' lock: the former owner may have
    # been about to create them.
    at_once = not needs.names
    partitions = {a.partition for a in batch}
    asked_s = time.monotonic()
    heads, wallets = await lock(connection, fence, partitions, needs.wallets if at_once else ())
    if locked is not None:
        locked(time.monotonic() - asked_s, len(heads) + len(wallets))
    loaded = await load(
        connection,
        needs,
        lock=True,
        wallets=wallets if at_once else None,
        command_ids=[a.submission.command_id for a in batch],
        # Later than all before it even where the clock was put back: what a reader was told to be
        # complete stays so.
        not_before=max(head.decided_at for head in heads.values()) + timedelta(microseconds=1),
    )
    outcomes = await lookup.outcomes(connection, list(loaded.decided)) if loaded.decided else {}
    await _decide_all(connection, fence.layout, batch, heads, loaded.books, outcomes)
    letters = [a.dead_letter for a in batch if a.submission.command_id not in loaded.decided]
    await park(connection, [letter for letter in letters if letter is not None])
    return [outcomes[a.submission.command_id] for a in batch]


async def _decide_all(
    connection: asyncpg.Connection,
    layout: int,
    batch: Sequence[Assigned],
    heads: Mapping[int, Head],
    books: Books,
    outcomes: dict[UUID, Outcome],
) -> None:
    """Decide and write whatever has no outcome yet, slice by slice: what one slice decided is
    written while the next one is decided."""
    slices = _slices(batch)
    writes = Writes()
    async with Behind() as behind:
        for piece in slices:
            writes = Writes(touched=writes.touched)
            for place, assigned in enumerate(piece, 1):
                if assigned.submission.command_id not in outcomes:
                    outcome = _decide(assigned, books, heads[assigned.partition], writes)
                    outcomes[outcome.command_id] = outcome
                if place % _TURN == 0:
                    await behind.turn()
            last = piece is slices[-1]
            if writes.outcomes or (last and writes.touched):
                links = _links(writes.outcomes, heads)
                flush = partial(writes.flush, connection, layout, books, links, last=last)
                await behind.write(flush, last=last)


def _slices(batch: Sequence[Assigned]) -> list[Sequence[Assigned]]:
    count = max(1, len(batch) // SLICE)
    bounds = [len(batch) * n // count for n in range(count + 1)]
    return [batch[first:end] for first, end in pairwise(bounds)]


async def _expanded(connection: asyncpg.Connection, assigned: Assigned) -> Assigned:
    """With the transfers themselves in place of a command that only names them."""
    named = assigned.submission.command
    if assigned.refused is not None:
        return assigned
    command = await staged.expanded(connection, named)
    if isinstance(command, Rejection):
        return replace(assigned, refused=command)
    if command is named:
        return assigned
    submission = msgspec.structs.replace(assigned.submission, command=command)
    return replace(assigned, submission=submission)


async def park_message(connection: asyncpg.Connection, fence: Fence, letter: DeadLetter) -> None:
    """Park a message that decides nothing, if its partition is still ours. Raises like execute."""
    try:
        async with asyncio.timeout(_STATEMENTS_TIMEOUT_S):
            await begin(connection)
            await lock_heads(connection, fence, {letter.partition})
            await park(connection, [letter])
    except TimeoutError:
        connection.terminate()
        raise
    except BaseException:
        await rollback(connection)
        raise
    await commit(connection)


def _decide(assigned: Assigned, books: Books, head: Head, writes: Writes) -> Outcome:
    """Decide the command, and have it both in the books and among what is to be written."""
    submission = assigned.submission
    result = decide(submission, books, _SOURCE, assigned.refused)
    if isinstance(result, Rejection):
        books.refuse(refused_keys(submission, result, books), result)
    else:
        books.apply(result)
    events = event_count(result)
    outcome = Outcome(
        command_id=submission.command_id,
        partition=assigned.partition,
        number=head.next_number,
        decided=books.at,
        result=result,
        actor=submission.actor,
        first_event=head.next_event if events else None,
    )
    head.next_number += 1
    head.next_event += events
    writes.add(submission, outcome, books)
    writes.resolved += resolve(submission.command, outcome, books)
    return outcome


def _links(outcomes: Sequence[Outcome], heads: Mapping[int, Head]) -> list[Link]:
    by_partition: dict[int, list[Outcome]] = {}
    for outcome in outcomes:
        by_partition.setdefault(outcome.partition, []).append(outcome)
    links = []
    for partition, decided in sorted(by_partition.items()):
        head = heads[partition]
        head.last_hash = chain.link(head.last_hash, decided)
        links.append(
            Link(
                partition=partition,
                first_number=decided[0].number,
                last_number=decided[-1].number,
                hash=head.last_hash,
                next_event=head.next_event,
            )
        )
    return links
