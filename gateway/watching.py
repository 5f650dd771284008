"""Looking after the queues that a gateway publishes to."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from ledger.deployment import Layout
from producers.publisher import Publisher
from topology import connections, names
from topology.errors import Unavailable

_EVERY_S: Final = 3.0
_LOOK_LIMIT_S: Final = 5.0

_log = structlog.get_logger(__name__)


class QueueWatch:
    """Whether every partition of the layout has its queue on the broker."""

    def __init__(self, publisher: Publisher, layout: Layout) -> None:
        self._publisher, self._layout = publisher, layout
        self.problem = "not looked at yet"

    async def run(self) -> None:
        """Look until cancelled; ``problem`` is what was seen last, empty where all is well."""
        while True:
            problem = await self._look()
            if problem != self.problem:
                _log.info("queues.looked_at", problem=problem)
            self.problem = problem
            await asyncio.sleep(_EVERY_S if not problem else _EVERY_S / 10)

    async def _look(self) -> str:
        """Asks without declaring: a gateway's broker user may not make queues."""
        try:
            channel = await connections.plain_channel(self._publisher.require_open())
        except Unavailable as error:
            return str(error)
        except connections.BROKER_ERRORS as error:
            return f"no channel to the broker: {error!r}"
        queue = ""
        try:
            with connections.losing_the_peer():
                for partition in range(self._layout.partitions):
                    queue = names.command_queue(self._layout.number, partition)
                    await channel.declare_queue(queue, passive=True, timeout=_LOOK_LIMIT_S)
        except connections.BROKER_ERRORS as error:
            return f"{queue} is not there: {error!r}"
        finally:
            await connections.close(channel)
        return ""
