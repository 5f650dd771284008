"""Channels are given up on connections that others still use."""

from __future__ import annotations

import pytest

from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker
from tests.proxy import Proxy, Then, Way
from topology import connections, names

CHANNEL_CLOSE = bytes((0, 20, 0, 40))


async def test_a_channel_that_closes_slowly_does_not_take_its_connection_along(
    broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The broker answers a channel's end later than we wait for it. Asked to end it once more, as
    the library does when it is interrupted, the broker would end the connection (504): a publisher
    would lose all lanes for one, a consumer all its partitions."""
    monkeypatch.setattr(connections, "CLOSE_TIMEOUT_S", 0.1)
    async with Proxy.before(broker.url) as (proxy, url):
        connection = await connections.connect(url, "tests")
        trap = proxy.trap(Way.TO_SERVER, CHANNEL_CLOSE, Then.HOLD)
        given_up = await connections.plain_channel(connection)
        await connections.close(given_up)
        assert trap.sprung.is_set()
        trap.release()
        another = await connections.plain_channel(connection)
        await another.declare_queue(names.command_queue(LAYOUT.number, 0), passive=True)
        await connections.close(another)
        assert not connection.is_closed
        await connections.close(connection)
