"""Which partitions this process consumes, and giving a neighbour's back to it.

Every partition is assigned to one slot. A process subscribes to its own at once and to the others a
little later, as a standby: the broker makes it the active consumer when the neighbour is gone. The
broker never moves a partition back by itself, so whoever holds one of a live neighbour's closes
that channel between two batches, and stands by for it again later.
"""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from aio_pika.abc import AbstractConnection

from consumers.lane import Lane
from consumers.partition import Partition
from topology import connections

#: The broker gives every partition to its first subscriber: the neighbours get this much ahead.
STANDBY_AFTER_S: Final = 5.0
_CHECK_EVERY_S: Final = 0.5
_RECONNECT_S: Final = 0.5

_log = structlog.get_logger(__name__)


class Subscriptions:
    """Keeps the lane supplied with partitions, on a connection that only consumes."""

    def __init__(
        self,
        url: str,
        name: str,
        lane: Lane,
        *,
        layout: int,
        partitions: int,
        slot: int,
        slots: int,
    ) -> None:
        self._url, self._name, self._lane = url, name, lane
        self._layout, self._count = layout, partitions
        self._slot, self._slots = slot, slots
        self._not_before_s: dict[int, float] = {}
        self.connected = False

    def assigned(self, partition: int) -> bool:
        return self._slot_of(partition) == self._slot

    async def run(self) -> None:
        """Stay connected and subscribed, until cancelled."""
        while True:
            try:
                connection = await connections.connect(self._url, self._name)
                try:
                    await self._serve(connection)
                finally:
                    self.connected = False
                    await self._discard_all()
                    await connections.close(connection)
            except connections.BROKER_ERRORS as error:
                _log.warning("subscriptions.connection_failed", error=repr(error))
            await asyncio.sleep(_RECONNECT_S)

    async def hand_back(self, live_slots: frozenset[int]) -> None:
        """Close the channels of partitions whose own consumer is alive. Called between batches, so
        that everything taken is applied and acked."""
        for partition in self._lane.partitions:
            owner = self._slot_of(partition.number)
            if partition.epoch is not None and owner != self._slot and owner in live_slots:
                _log.info("partition.handed_back", partition=partition.number, slot=owner)
                self._not_before_s[partition.number] = time.monotonic() + STANDBY_AFTER_S
                await self._lane.discard(partition)

    async def _serve(self, connection: AbstractConnection) -> None:
        standby_from_s = time.monotonic() + STANDBY_AFTER_S
        for number in range(self._count):
            if not self.assigned(number):
                self._not_before_s[number] = standby_from_s
        while not connection.is_closed:
            held = {p.number for p in self._lane.partitions}
            for number in range(self._count):
                if number not in held and time.monotonic() >= self._not_before_s.get(number, 0):
                    await self._subscribe(connection, number)
            self.connected = True
            await asyncio.sleep(_CHECK_EVERY_S)

    async def _subscribe(self, connection: AbstractConnection, number: int) -> None:
        partition = Partition(self._layout, number, self._lane.on_arrival, self._lane.is_idle)
        try:
            await partition.subscribe(connection)
        except connections.BROKER_ERRORS as error:
            _log.warning("subscriptions.refused", partition=number, error=repr(error))
            self._not_before_s[number] = time.monotonic() + _RECONNECT_S
        else:
            self._lane.add(partition)

    async def _discard_all(self) -> None:
        for partition in self._lane.partitions:
            await self._lane.discard(partition)

    def _slot_of(self, partition: int) -> int:
        return partition % self._slots
