"""The audit behind ``./sov verify``: every rule of the books, by name, with the first offenders.

It trusts nothing that the writing side computed: sums are summed again, running balances are
followed entry by entry, and the hash chain is computed from the rows as they stand.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import fields
from typing import Final, NamedTuple

import asyncpg
import msgspec

from ledger import chain, lookup
from ledger.events import event_count
from ledger.outcomes import Outcome
from ledger.sql import AUDIT, CHAINS

_SHOWN: Final = 10
_PAGE: Final = 2000


class Finding(NamedTuple):
    """One rule, and who breaks it: no offenders, and it holds."""

    rule: str
    offenders: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.offenders


async def audit(connection: asyncpg.Connection) -> list[Finding]:
    """Check every rule in one snapshot; other transactions go on meanwhile."""
    findings = []
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        # Whole tables are sorted and joined here; the default of 4 MB would go to disk early.
        await connection.execute("SET LOCAL work_mem = '64MB'; SET LOCAL jit = off")
        for field in fields(AUDIT):
            rows = await connection.fetch(getattr(AUDIT, field.name), _SHOWN)
            offenders = tuple("/".join(str(value) for value in row.values()) for row in rows)
            findings.append(Finding(field.name.replace("_", "-"), offenders))
        findings.append(await _follow_chains(connection))
    return findings


async def _follow_chains(connection: asyncpg.Connection) -> Finding:
    """Compute every link again from the outcomes it stands for; events numbered without gaps."""
    offenders = []
    for row in await connection.fetch(CHAINS.partitions):
        broken_at = await _first_break(connection, row["partition"])
        if broken_at is not None:
            offenders.append(f"partition {row['partition']} from outcome {broken_at}")
    return Finding("chain-is-unbroken", tuple(offenders[:_SHOWN]))


async def _first_break(connection: asyncpg.Connection, partition: int) -> int | None:
    """The number of the first outcome that its link does not fit, or None."""
    previous, next_event, reached = chain.GENESIS, 1, 0
    outcomes = _outcomes(connection, partition)
    async for link in _links(connection, partition):
        try:
            covered = [await anext(outcomes) for _ in range(reached, link["last_number"])]
        except (LookupError, StopAsyncIteration, msgspec.DecodeError):
            return reached + 1
        previous = chain.link(previous, covered)
        if link["first_number"] != reached + 1 or link["hash"] != previous:
            return reached + 1
        for outcome in covered:
            events = event_count(outcome.result)
            if outcome.first_event != (next_event if events else None):
                return outcome.number
            next_event += events
        reached = link["last_number"]
    return None


async def _links(connection: asyncpg.Connection, partition: int) -> AsyncIterator[asyncpg.Record]:
    reached = 0
    while rows := await connection.fetch(CHAINS.links, partition, reached, _PAGE):
        for row in rows:
            yield row
        reached = rows[-1]["last_number"]


async def _outcomes(connection: asyncpg.Connection, partition: int) -> AsyncIterator[Outcome]:
    reached = 0
    while page := await lookup.outcome_range(connection, partition, reached + 1, _PAGE):
        for outcome in page:
            yield outcome
        reached = page[-1].number
