"""The broker is killed while a file is posted whole: its command is kept, or sent again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.databases import Database
from tests.faults.broker.own_broker import OwnBroker
from tests.faults.consumer_process import ALL, ConsumerProcess, consumer_process, epochs, taken_over
from tests.faults.whole_files import POOR, RICH, assert_ended, fund, hand_in
from tests.integration.bulk_jobs import bulk_running, jobs
from tests.integration.processes import Broker, consuming
from tests.polling import until
from tests.proxy import BASIC_ACK, BASIC_PUBLISH, COMMIT, Proxy, Then, Trap, Way


def trap_at(consumer: ConsumerProcess, sending: Proxy, moment: str) -> Trap:
    match moment:
        case "before its command":
            return sending.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
        case "command unconfirmed":
            return sending.trap(Way.TO_CLIENT, BASIC_ACK, Then.HOLD)
        case "before COMMIT":
            return consumer.to_books.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
        case "between COMMIT and reply":
            return consumer.to_broker.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
        case _:
            return consumer.to_broker.trap(Way.TO_SERVER, BASIC_ACK, Then.HOLD)


@pytest.mark.parametrize(
    "moment",
    [
        "before its command",
        "command unconfirmed",
        "before COMMIT",
        "between COMMIT and reply",
        "between reply and ack",
    ],
)
async def test_killed(database: Database, own: OwnBroker, moment: str) -> None:
    """SIGKILL of the node; nobody restarts anything but it."""
    async with own.declared() as broker:
        asking = Broker(own.gateway_url, broker.connection)
        async with jobs(database, asking, consumed=False) as job:
            async with consuming(database, broker):
                await fund(job)
            since = await epochs(database)
            async with (
                consumer_process(database, broker) as consumer,
                Proxy.before(own.gateway_url) as (sending, url),
                bulk_running(database, replace(asking, url=url)),
            ):
                await taken_over(database, since, ALL)
                trap = trap_at(consumer, sending, moment)
                await hand_in(job, RICH, POOR)
                await until(trap.sprung.is_set)
                await own.server.kill()
                trap.release()
                await own.server.start()
                await assert_ended(job, database, RICH, POOR)
