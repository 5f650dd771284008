"""A broker of these tests' own: the session's is never stopped, frozen or alarmed."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.databases import Database
from tests.faults.broker import own_broker
from tests.faults.broker.own_broker import OwnBroker
from tests.faults.towns import Town, faulty_town, payers


@pytest.fixture(scope="package")
async def node() -> AsyncIterator[OwnBroker]:
    async with own_broker.running() as running:
        yield running


@pytest.fixture
async def own(node: OwnBroker) -> AsyncIterator[OwnBroker]:
    """Calm and with empty queues, whatever the test before did to it."""
    await node.calm()
    yield node
    node.thaw()


@pytest.fixture
async def town(database: Database, own: OwnBroker) -> AsyncIterator[Town]:
    """A payer per partition; gateway and consumers each as the broker's user of their own."""
    async with (
        own.declared() as broker,
        faulty_town(database, broker, names=payers(), gateway_url=own.gateway_url) as ready,
    ):
        yield ready
        await own.calm()
