"""Declaring the broker's side: idempotent, every argument written out."""

from __future__ import annotations

from typing import Any, Final

from aio_pika import ExchangeType
from aio_pika.abc import AbstractConnection
from aiormq.exceptions import ChannelPreconditionFailed

from ledger.database import connect_owner
from ledger.deployment import Layout, read_deployment
from topology import names
from topology.connections import broker_version, close, connect, plain_channel

#: About what a lane applies in two seconds; beyond that a waiting command would only get old. The
#: broker answers the producer with a nack, the gateway its caller with 503.
MAX_LENGTH: Final = 256
MAX_LENGTH_BYTES: Final = 32 * 1024 * 1024


#: More than anybody asks for: what does not fit is sent again when there is room.
MOST_RECONCILIATIONS: Final = 1000
MOST_RECONCILIATION_BYTES: Final = 1024 * 1024


class DeclaredDifferently(Exception):
    """A queue of ours exists with other arguments: drain and delete it, then declare again."""


async def declare(connection: AbstractConnection, layout: Layout) -> None:
    """All queues of the layout, the one of reconciliations and the events exchange. Raises
    ``DeclaredDifferently``."""
    version = broker_version(connection)
    queues = {
        names.command_queue(layout.number, partition): command_queue_arguments(version)
        for partition in range(layout.partitions)
    }
    queues[names.RECONCILIATION_QUEUE] = reconciliation_queue_arguments(version)
    channel = await plain_channel(connection)
    try:
        await channel.declare_exchange(
            names.EVENTS_EXCHANGE, ExchangeType.TOPIC, durable=True, auto_delete=False
        )
        for queue, arguments in queues.items():
            await channel.declare_queue(
                queue, durable=True, exclusive=False, auto_delete=False, arguments=arguments
            )
    except ChannelPreconditionFailed as error:
        raise DeclaredDifferently(str(error)) from error
    finally:
        await close(channel)


def command_queue_arguments(version: tuple[int, ...]) -> dict[str, Any]:
    return _quorum(version, MAX_LENGTH, MAX_LENGTH_BYTES)


def reconciliation_queue_arguments(version: tuple[int, ...]) -> dict[str, Any]:
    return _quorum(version, MOST_RECONCILIATIONS, MOST_RECONCILIATION_BYTES)


def _quorum(version: tuple[int, ...], length: int, length_bytes: int) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        # Confirmed means written and fsynced on a quorum; classic queues promise less.
        "x-queue-type": "quorum",
        "x-quorum-initial-group-size": 3,
        "x-queue-leader-locator": "balanced",
        # One consumer at a time: a partition is a lane, and one comparison at once is enough.
        "x-single-active-consumer": True,
        "x-overflow": "reject-publish",
        "x-max-length": length,
        "x-max-length-bytes": length_bytes,
    }
    if version >= (4, 0):
        # 4.x drops a message after 20 returns, restarts of its consumer included. We find poison
        # ourselves; a limit would silently lose commands.
        arguments["x-delivery-limit"] = -1
    return arguments


async def declare_from_books(amqp_url: str, owner_dsn: str) -> Layout:
    """Declare what the books' layout needs; answers the layout."""
    database = await connect_owner(owner_dsn)
    try:
        layout = (await read_deployment(database)).layout
    finally:
        await database.close()
    connection = await connect(amqp_url, "sov-declare")
    try:
        await declare(connection, layout)
    finally:
        await close(connection)
    return layout
