"""Which partitions take commands: what the books say of layout and operators' interventions."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import asyncpg
import structlog

from ledger import interventions
from ledger.database import UNREACHABLE, Queries
from ledger.deployment import Deployment, NotPrepared, read_deployment
from ledger.interventions import Intervention
from topology.deadlines import INTAKE_LOOK_EVERY_S
from topology.errors import LayoutChanged, Unavailable

_LOOK_LIMIT_S: Final = 5.0
_RETRY_AFTER_S: Final = 5

_log = structlog.get_logger(__name__)


class Intake:
    """Follows the books. What it knows is as old as the clock's sample at most: a producer that
    cannot reach the books sends nothing, because it does not know their time."""

    def __init__(self, queries: Queries, deployment: Deployment) -> None:
        self._queries, self._deployment = queries, deployment
        self._stopped: Mapping[int, Intervention] = {}

    @property
    def problem(self) -> str:
        """Why no partition takes commands; empty where at least one does."""
        if len(self._stopped) < self._deployment.layout.partitions:
            return ""
        return _told(next(iter(self._stopped.values())))

    def require_open(self, partition: int) -> None:
        """Raises ``Unavailable`` while the partition takes no commands."""
        stopped = self._stopped.get(partition)
        if stopped is not None:
            raise Unavailable(_told(stopped), retry_after_s=_RETRY_AFTER_S)

    async def run(self) -> None:
        """Look until cancelled. Raises ``LayoutChanged`` soon after the books have another layout:
        from then on our commands would go to queues that nobody serves."""
        while True:
            try:
                async with asyncio.timeout(_LOOK_LIMIT_S):
                    await self._look()
            except NotPrepared:
                raise LayoutChanged("the books have lost their layout") from None
            except (*UNREACHABLE, asyncpg.PostgresError) as error:
                _log.warning("intake.look_failed", error=repr(error))
            await asyncio.sleep(INTAKE_LOOK_EVERY_S)

    async def _look(self) -> None:
        found = await read_deployment(self._queries)
        ours = self._deployment
        if found != ours:
            raise LayoutChanged(f"the books' layout is {found.layout} now, ours {ours.layout}")
        self._stopped = await interventions.in_force(self._queries)


def _told(stopped: Intervention) -> str:
    return f"partition {stopped.partition} is {stopped.state.lower()}: {stopped.reason}"
