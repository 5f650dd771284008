"""A gateway and consumers of the product, with proxies on every way they take."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace

from consumers.worker import Consumer
from ledger.commands import CreateWallet
from tests.databases import Database
from tests.faults.till import Till
from tests.integration.gateways import Running, make_keys, serving
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, consuming
from tests.proxy import Proxy
from topology.partitions import partition_of


def payers(count: int = LAYOUT.partitions) -> list[str]:
    """Names of wallets whose creation, at least, goes to as many partitions."""
    found: dict[int, str] = {}
    number = 0
    while len(found) < count:
        name = f"payer-{number:03}"
        found.setdefault(partition_of(CreateWallet(name, "ZAR"), LAYOUT), name)
        number += 1
    return list(found.values())


@dataclass
class Town:
    """The gateway reaches the broker through ``publishing``, consumers reach it through
    ``delivering`` and the books through ``booking``."""

    database: Database
    broker: Broker
    publishing: Proxy
    delivering: Proxy
    booking: Proxy
    through: tuple[Database, Broker]
    """The consumers' ways, which lead through the proxies."""
    stack: AsyncExitStack
    running: Running
    till: Till
    consumers: list[Consumer] = field(default_factory=list)

    async def consume(self, slot: int = 0, slots: int = 1) -> Consumer:
        consumer = await self.stack.enter_async_context(
            consuming(*self.through, slot=slot, slots=slots)
        )
        self.consumers.append(consumer)
        return consumer

    async def stop_consuming(self) -> None:
        self.booking.resume()
        await self.stack.aclose()
        self.consumers.clear()


@asynccontextmanager
async def faulty_town(
    database: Database,
    broker: Broker,
    *,
    names: Sequence[str] = ("payer-000",),
    gateway_url: str | None = None,
) -> AsyncIterator[Town]:
    """One gateway, one consumer, and a till with these payers; nothing fails yet.

    ``gateway_url`` leads to the broker as the gateway's user, where that is another one.
    """
    async with (
        Proxy.before(gateway_url or broker.url) as (publishing, gateway_through),
        Proxy.before(broker.url) as (delivering, consumer_through),
        Proxy.before(database.writer) as (booking, writer),
        serving(database.reader, gateway_through, await make_keys(database)) as running,
    ):
        through = (replace(database, writer=writer), replace(broker, url=consumer_through))
        stack = AsyncExitStack()
        town = Town(
            database,
            broker,
            publishing,
            delivering,
            booking,
            through,
            stack,
            running,
            Till(running.http, []),
        )
        try:
            await town.consume()
            town.till = await Till.opened(running.http, names)
            yield town
        finally:
            for proxy in (publishing, delivering, booking):
                proxy.resume()
            await stack.aclose()
