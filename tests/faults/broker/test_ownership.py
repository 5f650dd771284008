"""Consumers that were replaced without knowing it: the fence in the books stops them, the broker
cannot."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from cli.servers.rabbitmq_conf import ADMIN
from ledger.database import connect_owner
from tests.faults.broker.own_broker import OwnBroker
from tests.faults.processes import Process, started
from tests.faults.towns import Town
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import consuming
from tests.polling import until
from tests.proxy import BASIC_DELIVER, COMMIT, Proxy, Then, Way

#: Of the consumer process's own connection to the broker: it is told from the other by its user.
ITS_USER = ADMIN


@asynccontextmanager
async def owner_process(
    town: Town, own: OwnBroker, folder: Path
) -> AsyncIterator[tuple[Process, Proxy, Proxy]]:
    """A real consumer process that owns every partition, and its ways to broker and books."""
    await town.stop_consuming()
    async with (
        Proxy.before(own.server.url(ITS_USER)) as (delivering, amqp_url),
        Proxy.before(town.database.writer) as (booking, dsn),
        started(
            "consumers",
            folder / "consumer.log",
            SOV_DATABASE_URL_WRITER=dsn,
            SOV_AMQP_URL_CONSUMER=amqp_url,
        ) as process,
    ):
        await process.logs("partition.taken_over", LAYOUT.partitions)
        yield process, delivering, booking


async def outcomes_and_transfers(town: Town, key: str) -> tuple[int, int]:
    owner = await connect_owner(town.database.owner)
    try:
        row = await owner.fetchrow(
            "SELECT count(*) AS transfers, count(o.command_id) AS outcomes FROM transfers t"
            " LEFT JOIN outcomes o USING (command_id) WHERE t.external_unique_id = $1",
            key,
        )
    finally:
        await owner.close()
    assert row is not None
    return row["outcomes"], row["transfers"]


async def test_a_consumer_is_frozen_in_its_commit_and_replaced(
    town: Town, own: OwnBroker, tmp_path: Path
) -> None:
    """A consumer process is frozen while its COMMIT is on the way. The broker drops it and promotes
    the second one, which ends the frozen session, applies the payment and answers. Thawed, the
    first sends its COMMIT into nothing, learns that its epoch is gone, and moves nothing."""
    async with owner_process(town, own, tmp_path) as (process, _, booking):
        trap = booking.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
        asking = asyncio.create_task(town.till.pay("frozen-commit", wait_s=25))
        async with asyncio.timeout(10):
            await trap.sprung.wait()
        process.freeze()
        async with consuming(town.database, replace(town.broker, url=own.url)):
            await own.close_connections(ITS_USER)
            answer = await asking
            assert answer.status_code == 201, answer.text
            process.thaw()
            trap.release()
            await process.logs("apply.transient")
            await town.till.paying_again(within_s=20)
            assert await outcomes_and_transfers(town, "frozen-commit") == (1, 1)
            told = await town.till.reconcile()
            assert set(told) <= {"APPLIED", "EXPIRED"}


async def test_a_consumer_does_not_hear_that_it_was_replaced(
    town: Town, own: OwnBroker, tmp_path: Path
) -> None:
    """A consumer process has taken payments in and is frozen before it decides them; the broker
    closes its connection, and that news never reaches it. Another one takes over and applies them.
    Thawed, with everything at hand and a connection that looks sound, it finds the partition lost,
    and says nothing to anybody."""
    async with owner_process(town, own, tmp_path) as (process, delivering, booking):
        booking.stall()
        # Holds nothing up, and tells when the first message passes.
        delivered = delivering.trap(Way.TO_CLIENT, BASIC_DELIVER, Then.HOLD)
        delivered.release()
        asking = [
            asyncio.create_task(town.till.pay(f"handed-over-{n}", wait_s=25)) for n in range(4)
        ]
        await until(lambda: town.running.gateway.report()["waiting_commands"] == len(asking))
        await until(delivered.sprung.is_set)
        delivering.stall(Way.TO_CLIENT)
        process.freeze()
        async with consuming(town.database, replace(town.broker, url=own.url)):
            await own.close_connections(ITS_USER)
            answers = await asyncio.gather(*asking)
            assert [answer.status_code for answer in answers] == [201] * len(asking)
            assert process.events("partition.lost") == []
            process.thaw()
            booking.resume()
            await process.logs("partition.lost")
            delivering.resume()
            await town.till.paying_again(within_s=20)
            for number in range(len(asking)):
                assert await outcomes_and_transfers(town, f"handed-over-{number}") == (1, 1)
            assert set(await town.till.reconcile()) <= {"APPLIED", "EXPIRED"}
