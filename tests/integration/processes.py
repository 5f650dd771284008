"""Consumers and producers of the product itself, run inside the test's event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

import asyncpg
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelNotFoundEntity

from consumers.worker import Consumer
from ledger.commands import CreateWallet
from ledger.database import connect_writer, reader_pool
from ledger.deployment import Deployment, Layout, read_deployment
from ledger.outcomes import Result, WalletCreated
from ledger.records import WalletType
from producers.clock import DatabaseClock
from producers.commands import Answered, Commands
from producers.intake import Intake
from producers.publisher import Publisher
from producers.replies import Replies
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, transfer
from tests.polling import until
from topology import connections, names
from topology.declare import declare
from topology.process import end
from topology.settings import Settings


@dataclass(frozen=True)
class Broker:
    """The layout's queues, empty, on the test's broker."""

    url: str
    connection: AbstractConnection

    @classmethod
    @asynccontextmanager
    async def declared(cls, url: str) -> AsyncIterator[Broker]:
        connection = await connections.connect(url, "tests")
        try:
            await delete_queues(connection)
            await declare(connection, LAYOUT)
            yield cls(url, connection)
            await delete_queues(connection)
        finally:
            await connections.close(connection)

    async def declare(self) -> None:
        """What is missing by now."""
        await declare(self.connection, LAYOUT)

    async def depth(self, partition: int) -> int:
        """Messages that wait in the partition's queue."""
        channel = await connections.plain_channel(self.connection)
        try:
            queue = await channel.declare_queue(
                names.command_queue(LAYOUT.number, partition), passive=True
            )
            return queue.declaration_result.message_count or 0
        finally:
            await connections.close(channel)


async def delete_queues(connection: AbstractConnection, layout: Layout = LAYOUT) -> None:
    of_partitions = [names.command_queue(layout.number, n) for n in range(layout.partitions)]
    for queue in (*of_partitions, names.RECONCILIATION_QUEUE):
        channel = await connections.plain_channel(connection)
        with suppress(ChannelNotFoundEntity):
            await channel.queue_delete(queue)
        await connections.close(channel)


@asynccontextmanager
async def consuming(
    database: Database, broker: Broker, *, slot: int = 0, slots: int = 1
) -> AsyncIterator[Consumer]:
    """A consumer that is subscribed; drained at the end."""
    settings = Settings(
        database_url_writer=database.writer,
        amqp_url_consumer=broker.url,
        consumer_slot=slot,
        consumer_slots=slots,
    )
    consumer = Consumer(settings, await deployment_of(database), f"consumer-{slot}")
    running = asyncio.create_task(consumer.run())
    try:
        await until(lambda: consumer.ready or running.done())
        yield consumer
    finally:
        consumer.stop()
        await running


async def deployment_of(database: Database) -> Deployment:
    connection = await connect_writer(database.writer)
    try:
        return await read_deployment(connection)
    finally:
        await connection.close()


@dataclass
class Producer:
    """The write side of a gateway, with its parts in reach."""

    pool: asyncpg.Pool[Any]
    clock: DatabaseClock
    publisher: Publisher
    intake: Intake
    replies: Replies
    commands: Commands

    async def ask(self, command: Any, wait_s: float = 10.0, actor: str = "test") -> Result:
        """The outcome of a command that has to be decided in time."""
        answer = await self.commands.ask(command, actor=actor, wait_s=wait_s)
        assert isinstance(answer, Answered), answer
        return answer.outcome.result

    async def wallet(self, name: str, balance: str = "0") -> UUID:
        opened = await self.ask(CreateWallet(name, "ZAR"))
        assert isinstance(opened, WalletCreated), opened
        wallet_id = opened.state.wallet.wallet_id
        if Decimal(balance):
            await self.ask(CreateWallet("system-zar", "ZAR", WalletType.SYSTEM))
            await self.ask(transfer("system-zar", wallet_id, balance, f"fund {name}"))
        return wallet_id


@asynccontextmanager
async def producing(database: Database, url: str) -> AsyncIterator[Producer]:
    """A producer that is connected to the broker at the URL."""
    pool = await reader_pool(database.reader, size=2)
    deployment = await deployment_of(database)
    clock = DatabaseClock(pool)
    await clock.sample()
    replies = Replies(url, "test replies", pool)
    publisher = Publisher(
        url,
        "test commands",
        deployment.layout.number,
        deployment.layout.partitions,
        clock.now,
        lambda: replies.queue,
    )
    intake = Intake(pool, deployment)
    commands = Commands(
        deployment=deployment, clock=clock, intake=intake, publisher=publisher, replies=replies
    )
    running = [asyncio.create_task(part.run()) for part in (clock, intake, publisher, replies)]
    try:
        await until(lambda: publisher.connected and replies.queue)
        yield Producer(pool, clock, publisher, intake, replies, commands)
    finally:
        await end(running)
        await pool.close()
