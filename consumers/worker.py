"""A consumer process put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

from consumers.housekeeping import Housekeeping
from consumers.lane import Lane
from consumers.replies import ReplyPublisher
from consumers.subscriptions import Subscriptions
from consumers.writer import Writer
from ledger.deployment import Deployment
from topology.process import end
from topology.settings import Settings


class Consumer:
    """One lane with everything it needs. Connects to PostgreSQL before it subscribes."""

    def __init__(self, settings: Settings, deployment: Deployment, process: str) -> None:
        layout = deployment.layout
        url = settings.consumer_amqp_url
        self._writer = Writer(settings.writer_dsn, layout.number)
        self._replies = ReplyPublisher(url, f"{process} replies")
        self._lane = Lane(self._writer, self._replies, layout.number)
        self._subscriptions = Subscriptions(
            url,
            process,
            self._lane,
            layout=layout.number,
            partitions=layout.partitions,
            slot=settings.consumer_slot,
            slots=settings.consumer_slots,
        )
        self._housekeeping = Housekeeping(
            writer=self._writer,
            lane=self._lane,
            subscriptions=self._subscriptions,
            replies=self._replies,
            layout=layout,
            slot=settings.consumer_slot,
            slots=settings.consumer_slots,
            process=process,
        )

    @property
    def ready(self) -> bool:
        return self._subscriptions.connected

    def stop(self) -> None:
        """Finish the batch at hand and end ``run``."""
        self._lane.stop()

    async def run(self) -> None:
        """Consume until stopped. Raises ``LayoutChanged``."""
        lane = asyncio.ensure_future(self._lane.run(self._housekeeping))
        helpers = [
            asyncio.ensure_future(self._replies.run()),
            asyncio.ensure_future(self._subscriptions.run()),
        ]
        try:
            done, _ = await asyncio.wait({lane, *helpers}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            await self._replies.flush()
        finally:
            await end((lane, *helpers))
            await self._writer.close()

    def report(self) -> Mapping[str, object]:
        """What ``./sov status`` shows of this process."""
        now_s = time.monotonic()
        partitions = {}
        for partition in self._lane.partitions:
            oldest_s = partition.buffer[0].arrived_s if partition.buffer else None
            partitions[str(partition.number)] = {
                "epoch": partition.epoch,
                "paused": partition.number in self._lane.paused,
                "waiting_commands": sum(d.commands for d in partition.buffer),
                "oldest_waiting_s": None if oldest_s is None else round(now_s - oldest_s, 3),
            }
        return {"connected": self._subscriptions.connected, "partitions": partitions}
