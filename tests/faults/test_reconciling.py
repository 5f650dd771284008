"""Comparisons whose process, command or connection is lost, twice there, or frozen: each comes to
its end once, with every difference once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from bank.reconciliation import requests
from bank.reconciliation.requests import Difference, Superseded
from ledger.database import banker_pool, connect_owner
from producers.reconciliations import ReconciliationCommands
from tests.databases import Database
from tests.faults.processes import Process, started
from tests.integration.comparisons import (
    Comparisons,
    comparisons,
    extract_of,
    reconciling,
)
from tests.integration.processes import Broker
from tests.polling import eventually, until
from topology import connections, names

LONG_AGO = "2020-01-01T00:00:00+02:00"
#: Enough that writing them down takes a while, in some twenty stretches.
LINES = 40_000


@pytest.fixture
async def compared(database: Database, broker: Broker) -> AsyncIterator[Comparisons]:
    """No reconciler yet."""
    async with comparisons(database, broker) as found:
        yield found


@pytest.fixture
async def owner(database: Database) -> AsyncIterator[asyncpg.Connection[Any]]:
    connection = await connect_owner(database.owner)
    yield connection
    await connection.close()


@asynccontextmanager
async def reconciler(compared: Comparisons, folder: Path, name: str) -> AsyncIterator[Process]:
    async with started(
        "bank.reconciliation",
        folder / f"{name}.log",
        SOV_DATABASE_URL_BANKER=compared.database.banker,
        SOV_AMQP_URL_GATEWAY=compared.broker.url,
        SOV_RECONCILE_DAILY_AT="",
    ) as process:
        yield process


async def asked(compared: Comparisons, lines: int = LINES) -> str:
    """An extract of which nothing is in the books, so that every line is a difference."""
    if not (await compared.running.get("/v1/wallets"))["items"]:
        await compared.running.wallet("alice-01")
    rows = [(f"lost-{n:08}", "alice-01", "bob-0001", "1.00", "", "DONE") for n in range(lines)]
    taken = await compared.send(
        extract_of(rows), periodFrom=LONG_AGO, periodTo=(await compared.complete()).isoformat()
    )
    reconciliation_id: str = taken["reconciliationId"]
    return reconciliation_id


async def assert_complete(
    compared: Comparisons,
    owner: asyncpg.Connection[Any],
    reconciliation_id: str,
    lines: int = LINES,
) -> None:
    ended = await compared.ended(reconciliation_id, within_s=120)
    assert (ended["status"], ended["differences"]) == ("DONE", lines), ended
    kept = await owner.fetchrow(
        "SELECT count(*) AS kept, count(DISTINCT number) AS numbers, min(number), max(number),"
        "       count(DISTINCT attempt) AS attempts, count(DISTINCT document) AS documents"
        "  FROM reconciliation_differences WHERE reconciliation_id = $1",
        reconciliation_id,
    )
    assert tuple(kept or ()) == (lines, lines, 1, lines, 1, lines)


async def some_written(owner: asyncpg.Connection[Any], reconciliation_id: str) -> None:
    async def some() -> Any:
        return await owner.fetchval(
            "SELECT count(*) FROM reconciliation_differences WHERE reconciliation_id = $1",
            reconciliation_id,
        )

    await eventually(some, 60)


@pytest.mark.parametrize("when", ["claimed", "half written"])
async def test_killed_in_the_middle(
    compared: Comparisons, owner: asyncpg.Connection[Any], tmp_path: Path, when: str
) -> None:
    reconciliation_id = await asked(compared)
    async with reconciler(compared, tmp_path, "first") as first:
        if when == "claimed":
            await first.logs("reconciliation.claimed")
        else:
            await some_written(owner, reconciliation_id)
        await first.kill()
    left = await compared.status(reconciliation_id)
    assert left["status"] == "RUNNING", "it was too quick to be killed"
    async with reconciler(compared, tmp_path, "second"):
        await assert_complete(compared, owner, reconciliation_id)


async def test_frozen_and_replaced(
    compared: Comparisons, owner: asyncpg.Connection[Any], tmp_path: Path
) -> None:
    """What thaws with half a comparison in its hands writes nothing more of it."""
    reconciliation_id = await asked(compared)
    async with (
        reconciler(compared, tmp_path, "first") as first,
        reconciler(compared, tmp_path, "second") as second,
    ):
        await some_written(owner, reconciliation_id)
        # The broker hands everything to whoever came first.
        worker = first if first.events("reconciliation.claimed") else second
        worker.freeze()
        # Its lease ends, its command is sent again, and the other one is handed it once the
        # broker has given the frozen one up.
        await assert_complete(compared, owner, reconciliation_id)
        worker.thaw()
        # It hears that it was replaced, or that the books have given it up.
        ended = ("reconciliation.superseded", "reconciliation.interrupted")
        await until(lambda: any(worker.events(name) for name in ended), within_s=30)
        await assert_complete(compared, owner, reconciliation_id)


async def test_a_former_attempt_writes_nothing(
    compared: Comparisons, owner: asyncpg.Connection[Any]
) -> None:
    reconciliation_id = await asked(compared, 3)
    pool = await banker_pool(compared.database.banker, size=1)
    try:
        former = await requests.claim(pool, reconciliation_id)
        assert former is not None
        assert await requests.claim(pool, reconciliation_id) is None, "it has a lease"
        await owner.execute("UPDATE reconciliations SET leased_until = now() - interval '1 s'")
        async with reconciling(compared.database, compared.broker.url):
            await assert_complete(compared, owner, reconciliation_id, 3)
        found = [Difference(1, "MISSING_HERE", "{}")]
        for write in (
            requests.add_differences(pool, former.request, found),
            requests.renew(pool, former.request),
            requests.finish(pool, former.request, 0, agrees=True, document="{}"),
            requests.fail(pool, former.request, "too late"),
        ):
            with pytest.raises(Superseded):
                await write
        await assert_complete(compared, owner, reconciliation_id, 3)
    finally:
        pool.terminate()


async def test_a_command_that_is_delivered_twice(
    compared: Comparisons, owner: asyncpg.Connection[Any]
) -> None:
    reconciliation_id = await asked(compared, 300)
    commands = ReconciliationCommands(compared.broker.url, "tests")
    for _ in range(5):
        await commands.send(reconciliation_id)
    async with reconciling(compared.database, compared.broker.url):
        await assert_complete(compared, owner, reconciliation_id, 300)
        await commands.send(reconciliation_id)
        await commands.send("what nobody asked for")

        async def all_taken() -> bool:
            return await waiting(compared.broker) == 0

        await eventually(all_taken)
        await assert_complete(compared, owner, reconciliation_id, 300)
    await commands.close()
    upload_and_attempt = 2
    assert await owner.fetchval("SELECT attempt FROM reconciliations") == upload_and_attempt


async def test_a_command_that_is_lost(
    compared: Comparisons, owner: asyncpg.Connection[Any]
) -> None:
    reconciliation_id = await asked(compared, 300)
    channel = await connections.plain_channel(compared.broker.connection)
    await channel.queue_delete(names.RECONCILIATION_QUEUE)
    await connections.close(channel)
    # Without the queue nothing can be sent either, and what is asked for is kept all the same.
    other = await asked(compared, 200)
    await compared.broker.declare()
    async with reconciling(compared.database, compared.broker.url):
        await assert_complete(compared, owner, other, 200)
        await assert_complete(compared, owner, reconciliation_id, 300)


async def test_a_connection_to_the_books_that_is_lost(
    compared: Comparisons, owner: asyncpg.Connection[Any]
) -> None:
    reconciliation_id = await asked(compared)
    async with reconciling(compared.database, compared.broker.url):
        await some_written(owner, reconciliation_id)
        ended = await owner.fetch(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'sov-reconciler'"
        )
        assert ended, "it was too quick to be cut"
        await assert_complete(compared, owner, reconciliation_id)


async def test_the_snapshot_is_one_moment_while_transfers_go_on(
    compared: Comparisons, owner: asyncpg.Connection[Any]
) -> None:
    running = compared.running
    await running.wallet("alice-01", "1000")
    await running.wallet("bob-0001")
    rows: list[tuple[str, ...]] = [("fund alice-01", "system-zar", "alice-01", "1000", "", "DONE")]
    stopping = asyncio.Event()

    async def pay(who: int) -> None:
        number = 0
        while not stopping.is_set():
            key = f"order-{who}-{number:06}"
            await running.paid("alice-01", "bob-0001", "0.01", key)
            rows.append((key, "alice-01", "bob-0001", "0.01", "", "DONE"))
            number += 1

    async with reconciling(compared.database, compared.broker.url):
        paying = [asyncio.create_task(pay(who)) for who in range(8)]
        try:
            for round_ in range(5):
                await eventually(partial(_more, rows, len(rows) + 40))
                known = list(rows)
                stop = await owner.fetchval(
                    "SELECT max(created) + interval '1 microsecond' FROM transfers"
                    " WHERE external_unique_id = ANY ($1::text[])",
                    [row[0] for row in known],
                )
                taken = await compared.send(
                    extract_of(known),
                    reconciliationId=f"live-{round_}",
                    periodFrom=LONG_AGO,
                    periodTo=stop.isoformat(),
                )
                ended = await compared.ended(taken["reconciliationId"])
                # What others were paid by then, and had no answer yet, the extract cannot have.
                kinds = (await compared.report(taken["reconciliationId"]))["differences"]
                assert set(kinds) <= {"MISSING_THERE"}, kinds
                assert kinds.get("MISSING_THERE", 0) <= len(paying), ended
        finally:
            stopping.set()
            await asyncio.gather(*paying)
        await compared.send(
            extract_of(rows),
            reconciliationId="at-the-end",
            periodFrom=LONG_AGO,
            periodTo=(await compared.now()).isoformat(),
        )
        assert (await compared.ended("at-the-end"))["agrees"]


async def _more(rows: list[Any], count: int) -> bool:
    return len(rows) >= count


async def waiting(broker: Broker) -> int:
    """Messages that wait in the queue of reconciliations."""
    channel = await connections.plain_channel(broker.connection)
    try:
        queue = await channel.declare_queue(names.RECONCILIATION_QUEUE, passive=True)
        return queue.declaration_result.message_count or 0
    finally:
        await connections.close(channel)
