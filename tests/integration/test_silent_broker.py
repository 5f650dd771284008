"""A broker that goes silent without closing anything, and comes back."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from ledger.commands import CreateWallet
from ledger.outcomes import WalletCreated
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, Producer, consuming, producing
from tests.polling import until
from tests.proxy import Proxy
from topology import connections
from topology.errors import Unavailable
from topology.partitions import partition_of


async def test_every_lane_goes_on_after_a_silence(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with consuming(database, broker), Proxy.before(broker.url) as (proxy, url):
        monkeypatch.setattr(connections, "HEARTBEAT_S", 1)
        async with producing(database, url) as producer:
            traffic = [
                asyncio.create_task(_keep_asking(producer, command))
                for command in _one_per_partition("during")
            ]
            await until(lambda: producer.publisher.connected)
            proxy.stall()
            await until(lambda: not producer.publisher.connected, within_s=30)
            proxy.resume()
            await until(lambda: producer.publisher.connected and producer.replies.queue)
            for lane in traffic:
                lane.cancel()
            for partition, command in enumerate(_one_per_partition("after")):
                created = await producer.ask(command)
                assert isinstance(created, WalletCreated), partition


async def _keep_asking(producer: Producer, command: CreateWallet) -> None:
    """Keep a lane waiting for the broker."""
    while True:
        with suppress(Unavailable):
            await producer.commands.send(command, actor="test")
        await asyncio.sleep(0.05)


def _one_per_partition(name: str) -> list[CreateWallet]:
    found: dict[int, CreateWallet] = {}
    number = 0
    while len(found) < LAYOUT.partitions:
        command = CreateWallet(f"{name}-{number:06}", "ZAR")
        found.setdefault(partition_of(command, LAYOUT), command)
        number += 1
    return [found[partition] for partition in sorted(found)]
