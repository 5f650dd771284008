"""Fresh books per test, audited at its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests import databases
from tests.databases import Database
from tests.integration.bulk_jobs import Jobs, bulk_running, jobs
from tests.integration.ledger_driver import Ledger
from tests.integration.processes import Broker, Producer, producing
from tests.servers import Servers


@pytest.fixture(scope="session")
async def template(servers: Servers) -> AsyncIterator[str]:
    name = await databases.make_template(servers)
    yield name
    await databases.drop(servers, name)


@pytest.fixture
async def database(servers: Servers, template: str) -> AsyncIterator[Database]:
    async with databases.copied(servers, template) as fresh:
        yield fresh


@pytest.fixture
async def ledger(database: Database) -> AsyncIterator[Ledger]:
    """All partitions owned by one connection that runs commands without a broker."""
    async with Ledger.opened(database) as opened:
        yield opened


@pytest.fixture
async def broker(servers: Servers) -> AsyncIterator[Broker]:
    async with Broker.declared(servers.amqp_url) as declared:
        yield declared


@pytest.fixture
async def producer(database: Database, broker: Broker) -> AsyncIterator[Producer]:
    async with producing(database, broker.url) as connected:
        yield connected


@pytest.fixture
async def job(database: Database, broker: Broker) -> AsyncIterator[Jobs]:
    """The routes of bulk files, with everything behind them."""
    async with jobs(database, broker) as found, bulk_running(database, broker):
        yield found
