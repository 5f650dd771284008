"""Messages straight into the queues, past every producer of ours, and the replies to them."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

from aio_pika import DeliveryMode, Message
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import DeliveryError

from ledger.commands import Submission
from ledger.outcomes import Outcome
from tests.integration.ledger_driver import LAYOUT
from tests.polling import until
from topology import connections, names
from topology.envelopes import decode_outcomes, encode_commands, encode_submission
from topology.partitions import partition_of

_LOT = 50


def message(*submissions: Submission, reply_to: str | None = None) -> bytes:
    now = datetime.now(UTC)
    return encode_commands(LAYOUT.number, now, reply_to, map(encode_submission, submissions))


async def publish_until_refused(
    channel: AbstractChannel, queue: str, bodies: Sequence[bytes]
) -> int:
    """One by one in small lots, until the queue is full; answers how many it took.

    A quorum queue tells channels that it is full some time after it is.
    """
    taken = 0
    for start in range(0, len(bodies), _LOT):
        results = await asyncio.gather(
            *(
                channel.default_exchange.publish(
                    Message(body, delivery_mode=DeliveryMode.PERSISTENT), queue
                )
                for body in bodies[start : start + _LOT]
            ),
            return_exceptions=True,
        )
        refused = [result for result in results if isinstance(result, BaseException)]
        assert all(isinstance(result, DeliveryError) for result in refused), refused
        in_order = results[: len(results) - len(refused)]
        assert not any(isinstance(result, BaseException) for result in in_order)
        taken += len(in_order)
        if refused:
            return taken
    raise AssertionError("the queue never refused")


async def publish(connection: AbstractConnection, partition: int, *bodies: bytes) -> None:
    """In this order; returns when the broker has them all safe."""
    channel = await connections.confirmed_channel(connection)
    try:
        for body in bodies:
            await channel.default_exchange.publish(
                Message(body, delivery_mode=DeliveryMode.PERSISTENT),
                names.command_queue(LAYOUT.number, partition),
            )
    finally:
        await connections.close(channel)


@dataclass
class Listener:
    """A reply queue of the test's own: every outcome that was told, by command."""

    connection: AbstractConnection
    queue: str
    told: defaultdict[UUID, list[Outcome]] = field(default_factory=lambda: defaultdict(list))

    async def send(self, submissions: Iterable[Submission], times: int = 1) -> None:
        """Each command as a message of its own, so many times, to its partition."""
        for each in submissions:
            body = message(each, reply_to=self.queue)
            await publish(self.connection, partition_of(each.command, LAYOUT), *[body] * times)

    async def heard(self, submission: Submission, times: int = 1) -> None:
        """Wait until the outcome was told so often."""
        await until(lambda: len(self.told[submission.command_id]) == times)

    def one_truth(self, submission: Submission) -> Outcome:
        """The outcome, which has to have been the same however often it was told."""
        first, *others = self.told[submission.command_id]
        assert all(other == first for other in others), self.told[submission.command_id]
        return first


@asynccontextmanager
async def listening(connection: AbstractConnection) -> AsyncIterator[Listener]:
    channel = await connections.plain_channel(connection)
    listener = Listener(connection, names.reply_queue())

    async def receive(incoming: AbstractIncomingMessage) -> None:
        for outcome in decode_outcomes(incoming.body):
            listener.told[outcome.command_id].append(outcome)

    try:
        queue = await channel.declare_queue(listener.queue, exclusive=True, auto_delete=True)
        await queue.consume(receive, no_ack=True)
        yield listener
    finally:
        await connections.close(channel)
