"""One message per command: ``python -m bench.baselines.single gateway|consumer|relay``.

The product without batching, and without what batching makes needless to have: a publisher that
batches waits for each confirm before it sends again, one that does not must not wait (it would send
eight messages per round trip), so here all messages of a lane are on their way at once. Likewise
the consumer is handed more than four messages ahead. Everything else is the product's own.
"""

from __future__ import annotations

import asyncio
import importlib
import sys
from typing import Final

from aio_pika.abc import AbstractChannel

import consumers.lane
import consumers.partition
import producers.publisher
from bench.baselines.changing import change
from cli.run import PROGRAMS
from producers.publisher import Parcel, Publisher

#: Handed out ahead to a consumer, per partition: enough that it never waits for the broker.
_PREFETCH: Final = 64


class PipelinedLane(producers.publisher._Lane):
    """Publishes each message when it comes, in order, without waiting for the confirms before."""

    def __init__(self, publisher: Publisher, partition: int) -> None:
        super().__init__(publisher, partition)
        self._on_their_way: set[asyncio.Task[None]] = set()

    async def _publish(self, channel: AbstractChannel, parcels: list[Parcel]) -> None:
        # Tasks start in the order in which they were made, and write before they wait.
        publishing = asyncio.create_task(super()._publish(channel, parcels))
        self._on_their_way.add(publishing)
        publishing.add_done_callback(self._on_their_way.discard)


def without_batching() -> None:
    """Change the product's code in this process."""
    change(producers.publisher, "MAX_COMMANDS", 1)
    change(producers.publisher, "_Lane", PipelinedLane)
    change(consumers.lane, "MAX_COMMANDS", 1)
    change(consumers.partition, "PREFETCH", _PREFETCH)


def main(program: str) -> int:
    without_batching()
    code: int = importlib.import_module(PROGRAMS[program]).main()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
