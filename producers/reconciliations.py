"""Sending word that something is to be compared: a command on a queue of its own."""

from __future__ import annotations

import asyncio
from typing import Final

from aio_pika.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import DeliveryError, PublishError

from topology import connections, names
from topology.deadlines import CONFIRM_TIMEOUT_S
from topology.envelopes import encode_reconciliation
from topology.errors import Unavailable, Unroutable

_LIMIT_S: Final = 4.0


class ReconciliationCommands:
    """On a connection of its own, opened when the first one is sent: there are few. What is asked
    for is kept in the database; a command that is lost is sent again by whoever compares."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._connection: AbstractConnection | None = None
        self._channel: AbstractChannel | None = None
        self._sending = asyncio.Lock()

    async def send(self, reconciliation_id: str) -> None:
        """Returns once the broker has it safe. Raises ``Unavailable`` where that is not known."""
        body = encode_reconciliation(reconciliation_id)
        try:
            async with asyncio.timeout(_LIMIT_S), self._sending:
                channel = await self._open()
                await connections.publish(
                    channel, names.RECONCILIATION_QUEUE, body, CONFIRM_TIMEOUT_S
                )
        except PublishError:
            raise Unroutable("the broker has no queue for reconciliations") from None
        except DeliveryError:
            raise Unavailable("the queue of reconciliations is full") from None
        except connections.BROKER_ERRORS as error:
            # Whether it was taken is unknown, and so is the channel's numbering.
            await self.close()
            raise Unavailable(f"the broker did not confirm: {error!r}") from None

    async def close(self) -> None:
        connection, self._connection, self._channel = self._connection, None, None
        if connection is not None:
            await connections.close(connection)

    async def _open(self) -> AbstractChannel:
        if self._connection is None or self._connection.is_closed:
            self._connection = await connections.connect(self._url, self._name)
            self._channel = None
        if connections.is_blocked(self._connection):
            raise Unavailable("the broker is blocked by a memory or disk alarm", retry_after_s=5)
        if self._channel is None or self._channel.is_closed:
            self._channel = await connections.confirmed_channel(self._connection)
        return self._channel
