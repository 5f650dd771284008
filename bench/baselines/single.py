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

import consumers.lane
import consumers.partition
import producers.publisher
from bench.baselines.changing import change
from cli.run import PROGRAMS

#: Handed out ahead to a consumer, per partition: enough that it never waits for the broker.
_PREFETCH: Final = 64


class PipelinedLane(producers.publisher._Lane):
    """Publishes each command when it comes, in order, without waiting for the confirms before."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as publishing:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                # The channel is opened once: two that open it at the same time would lose one.
                while parcels := self._take():
                    if self._channel is None or self._channel.is_closed:
                        await self._publish(parcels)
                    else:
                        publishing.create_task(self._publish(parcels))


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
