"""The event relay: what subscribers are told, and what nobody is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from prometheus_client import REGISTRY

from producers.relay import Relay
from tests.databases import Database
from tests.integration.ledger_driver import Ledger, reservation, transfer
from tests.integration.processes import Broker, deployment_of
from tests.polling import eventually, until
from topology import connections, names


@asynccontextmanager
async def relaying(database: Database, broker: Broker) -> AsyncIterator[Relay]:
    relay = Relay(database.writer, broker.url, await deployment_of(database))
    running = asyncio.create_task(relay.run())
    try:
        await until(lambda: relay.ready)
        yield relay
    finally:
        relay.stop()
        await running


@asynccontextmanager
async def subscribed(
    broker: Broker, pattern: str
) -> AsyncIterator[list[tuple[str, dict[str, Any]]]]:
    """What arrives for a routing pattern: keys and bodies."""
    received: list[tuple[str, dict[str, Any]]] = []

    async def receive(incoming: AbstractIncomingMessage) -> None:
        received.append((incoming.routing_key or "", json.loads(incoming.body)))

    channel = await connections.plain_channel(broker.connection)
    queue = await channel.declare_queue(exclusive=True)
    await queue.bind(names.EVENTS_EXCHANGE, pattern)
    await queue.consume(receive, no_ack=True)
    yield received
    await connections.close(channel)


async def test_every_change_is_told_in_order_with_gap_free_numbers(
    database: Database, broker: Broker, ledger: Ledger
) -> None:
    async with subscribed(broker, "#") as received:
        alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
        await ledger.run(
            reservation(alice, "60", "session-1", "hold-0001"),
            transfer(alice, bob, "60", "key-000001", session_id="session-1"),
            transfer(alice, bob, "999", "key-000002"),
        )
        async with relaying(database, broker):
            await until(lambda: len(received) >= 7)
        # A relay that comes back has nothing left to tell.
        async with relaying(database, broker) as relay:
            await until(lambda: relay.report()["behind_s"] == 0.0)
    assert len(received) == 7
    types = sorted(body["type"] for _, body in received)
    assert types == [
        "reservation.placed",
        "reservation.released",
        "transfer.posted",
        "transfer.posted",
        "wallet.created",
        "wallet.created",
        "wallet.created",
    ]
    numbers: dict[int, list[int]] = {}
    for key, body in received:
        assert key == f"{body['type']}.{body['partition']}"
        numbers.setdefault(body["partition"], []).append(body["number"])
    for told in numbers.values():
        assert told == list(range(1, len(told) + 1))
    paid = [b["data"] for _, b in received if b["data"].get("externalUniqueId") == "key-000001"]
    assert paid[0]["amount"] == "60.00"
    assert len(paid[0]["commandId"]) == 36


async def test_a_subscriber_that_is_full_gets_the_rest_when_it_has_room_and_nothing_twice(
    database: Database, broker: Broker, ledger: Ledger
) -> None:
    """Its queue refuses the third event: the first two are told, and never again."""
    channel = await connections.plain_channel(broker.connection)
    arguments: Any = {"x-max-length": 2, "x-overflow": "reject-publish"}
    queue = await channel.declare_queue(exclusive=True, arguments=arguments)
    await queue.bind(names.EVENTS_EXCHANGE, "transfer.posted.*")
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    await ledger.run(*(transfer(alice, bob, "1", f"key-{n:06}") for n in range(6)))
    numbers: list[int] = []

    async def take() -> bool:
        incoming = await queue.get(fail=False, no_ack=True)
        if incoming is not None:
            body = json.loads(incoming.body)
            if body["data"]["fromWalletId"] == str(alice):
                numbers.append(int(body["data"]["externalUniqueId"][-6:]))
        return len(numbers) == 6

    async with relaying(database, broker):
        await eventually(take, within_s=30)
    await connections.close(channel)
    assert numbers == list(range(6))


async def test_events_wait_while_nobody_relays(
    database: Database, broker: Broker, ledger: Ledger
) -> None:
    await ledger.wallet("alice-01", "100")
    async with (
        subscribed(broker, "transfer.posted.*") as received,
        relaying(database, broker),
    ):
        await until(lambda: len(received) == 1)


def published(event_type: str) -> float:
    """How many events of the type this process has published."""
    return REGISTRY.get_sample_value("sov_events_published_total", {"type": event_type}) or 0.0


async def test_what_nobody_subscribes_to_is_passed_over(
    database: Database, broker: Broker, ledger: Ledger
) -> None:
    """Others subscribe to other things: they are told theirs. Who subscribes later is told what is
    decided from then on."""
    before = published("transfer.posted")
    async with subscribed(broker, "wallet.created.#") as wallets:
        alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
        await ledger.run(*(transfer(alice, bob, "1", f"key-{n:06}") for n in range(20)))
        async with relaying(database, broker) as relay:
            await until(lambda: len(wallets) == 3)
            await until(lambda: relay.report()["behind_s"] == 0.0)
            async with subscribed(broker, "transfer.#") as transfers:
                await ledger.run(transfer(alice, bob, "1", "key-later"))
                await until(lambda: transfers)
    assert [body["data"]["externalUniqueId"] for _, body in transfers] == ["key-later"]
    assert published("transfer.posted") == before + 1
