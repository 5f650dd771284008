"""A comparison that is begun again: not before its time, with nothing of the try before it, and not
for ever."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from bank.reconciliation import requests
from bank.reconciliation.requests import Difference
from ledger.database import banker_pool
from tests.databases import Database
from tests.integration.comparisons import Comparisons, comparisons, extract_of, reconciling
from tests.integration.extracts import LONG_AGO, line
from tests.integration.processes import Broker
from tests.polling import eventually

FOUND = [Difference(1, "MISSING_HERE", "{}")]


@pytest.fixture
async def compared(database: Database, broker: Broker) -> AsyncIterator[Comparisons]:
    """No reconciler yet."""
    async with comparisons(database, broker) as found:
        yield found


@pytest.fixture
async def pool(database: Database) -> AsyncIterator[asyncpg.Pool[Any]]:
    found = await banker_pool(database.banker, size=2)
    yield found
    found.terminate()


async def asked(compared: Comparisons) -> str:
    await compared.running.wallet("alice-01")
    taken = await compared.send(
        extract_of([line("lost-0001", "1.00")]),
        periodFrom=LONG_AGO.isoformat(),
        periodTo=(await compared.complete()).isoformat(),
    )
    reconciliation_id: str = taken["reconciliationId"]
    return reconciliation_id


async def kept(pool: asyncpg.Pool[Any]) -> list[int]:
    """Whose differences there are."""
    rows = await pool.fetch("SELECT attempt FROM reconciliation_differences ORDER BY attempt")
    return [row["attempt"] for row in rows]


async def test_what_is_postponed_is_not_begun_before(
    compared: Comparisons, pool: asyncpg.Pool[Any]
) -> None:
    reconciliation_id = await asked(compared)
    claimed = await requests.claim(pool, reconciliation_id)
    assert claimed is not None
    pause = timedelta(minutes=1)
    await requests.postpone(pool, claimed.request, pause, "not yet", failed=True)
    # However many commands of it wait in the queue.
    assert await requests.claim(pool, reconciliation_id) is None
    await pool.execute("UPDATE reconciliations SET not_before = clock_timestamp()")
    again = await requests.claim(pool, reconciliation_id)
    assert again is not None
    assert (again.tries, again.request.reason) == (2, "not yet")


async def test_a_try_begins_with_nothing_of_the_one_before(
    compared: Comparisons, pool: asyncpg.Pool[Any]
) -> None:
    reconciliation_id = await asked(compared)
    first = await requests.claim(pool, reconciliation_id)
    assert first is not None
    await requests.add_differences(pool, first.request, FOUND)
    # It was killed; the next one finds that the period is not complete, and waits.
    await pool.execute(
        "UPDATE reconciliations SET leased_until = clock_timestamp() - interval '1 second',"
        " period_to = clock_timestamp() + interval '1 hour'"
    )
    async with reconciling(compared.database, compared.broker.url):

        async def waits() -> bool:
            found = await compared.status(reconciliation_id)
            return found["status"] == "QUEUED" and "waits" in (found["reason"] or "")

        await eventually(waits)
        assert await kept(pool) == []
    await pool.execute("UPDATE reconciliations SET not_before = NULL")
    last = await requests.claim(pool, reconciliation_id)
    assert last is not None
    await requests.add_differences(pool, last.request, FOUND)
    # One that was frozen when it was about to drop what was before it.
    await requests.drop_former(pool, first.request)
    assert await kept(pool) == [last.request.attempt]


async def test_what_never_ends_is_given_up_and_says_why(
    compared: Comparisons, pool: asyncpg.Pool[Any]
) -> None:
    reconciliation_id = await asked(compared)
    for _ in range(5):
        claimed = await requests.claim(pool, reconciliation_id)
        assert claimed is not None
        await requests.add_differences(pool, claimed.request, FOUND)
        await requests.postpone(pool, claimed.request, timedelta(0), "no room", failed=True)
    async with reconciling(compared.database, compared.broker.url):
        ended = await compared.ended(reconciliation_id)
    assert ended["status"] == "FAILED"
    assert "begun 5 times and never ended: no room" in ended["reason"]
    assert await kept(pool) == []
