"""The event relay: what subscribers are told, and what nobody is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import asyncpg
import pytest
from aio_pika.abc import AbstractIncomingMessage
from prometheus_client import REGISTRY

from ledger import lookup
from ledger.commands import CreateWallet, PostTransferGroup
from ledger.outcomes import TransferGroupPosted
from producers import relay as relay_module
from producers.relay import Relay
from tests.databases import Database
from tests.integration.ledger_driver import LAYOUT, Ledger, reservation, submission, transfer
from tests.integration.processes import Broker, deployment_of
from tests.polling import eventually, until
from topology import connections, names
from topology.partitions import partition_of


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


async def test_a_rare_event_is_told_between_many_that_nobody_hears_of(
    database: Database, broker: Broker, ledger: Ledger
) -> None:
    """Transfers are passed over unread, except the one that released something."""
    async with subscribed(broker, "reservation.released.#") as received:
        alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
        async with relaying(database, broker) as relay:
            for turn in range(3):
                await ledger.run(
                    reservation(alice, "1", f"session-{turn}", f"hold-{turn:04}"),
                    *(transfer(alice, bob, "1", f"key-{turn}-{n:06}") for n in range(10)),
                    transfer(alice, bob, "1", f"spent-{turn}", session_id=f"session-{turn}"),
                    *(transfer(alice, bob, "1", f"more-{turn}-{n:06}") for n in range(10)),
                )
                await until(lambda: len(received) > turn)  # noqa: B023  awaited in this turn
            await until(lambda: relay.report()["behind_s"] == 0.0)
        sessions = [body["data"]["sessionId"] for _, body in received]
        assert sessions == [f"session-{turn}" for turn in range(3)]


async def test_a_reading_that_fails_is_done_again(
    database: Database, broker: Broker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = lookup.outcomes
    failures = [TimeoutError(), asyncpg.QueryCanceledError("ended by an operator")]

    async def fail_at_first(*arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return await read(*arguments)

    monkeypatch.setattr("producers.relay.lookup.outcomes", fail_at_first)
    async with subscribed(broker, "wallet.created.#") as received:
        await ledger.wallet("alice-01")
        async with relaying(database, broker):
            await until(lambda: len(received) == 1)
    assert not failures


GROUP = 40


async def post_group(ledger: Ledger) -> tuple[int, str]:
    """As a bulk file that is posted whole: one outcome with many events; answers its partition.
    Then some wallets in another one; answers the last one's name."""
    alice, bob = await ledger.wallet("alice-01", "100"), await ledger.wallet("bob-0001")
    members = tuple(transfer(alice, bob, "1", f"whole-{n:05}") for n in range(GROUP))
    (group,) = await ledger.submit(submission(PostTransferGroup(members)))
    assert isinstance(group.result, TransferGroupPosted)
    beside = (group.partition + 1) % LAYOUT.partitions
    others = [CreateWallet(f"other-{n:04}", "ZAR") for n in range(200)]
    others = [command for command in others if partition_of(command, LAYOUT) == beside][:10]
    await ledger.run(*others)
    return group.partition, others[-1].external_unique_id


async def test_a_long_outcome_is_told_in_parts_and_others_in_between(
    database: Database, broker: Broker, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each stretch is over after its first event: those of another partition do not wait for the
    whole file, nothing is told twice, and the cursor has passed all of it in the end."""
    monkeypatch.setattr(relay_module, "_STRETCH_S", -1.0)
    async with subscribed(broker, "#") as received:
        partition, other = await post_group(ledger)
        async with relaying(database, broker) as relay:
            await until(lambda: told_of(received, partition)[-1:] == [f"whole-{GROUP - 1:05}"])
            await until(lambda: relay.report()["behind_s"] == 0.0)
        async with relaying(database, broker) as relay:
            await until(lambda: relay.report()["behind_s"] == 0.0)
    keys = [body["data"]["externalUniqueId"] for _, body in received]
    assert keys.index(other) < keys.index(f"whole-{GROUP - 1:05}")
    wholes = [key for key in told_of(received, partition) if key.startswith("whole-")]
    assert wholes == [f"whole-{n:05}" for n in range(GROUP)]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("restarted", [False, True])
async def test_a_subscriber_that_is_full_within_an_outcome(
    database: Database, broker: Broker, ledger: Ledger, restarted: bool
) -> None:
    """It gets the rest when it has room: nothing twice from the same relay, and from the next one
    the outcome from its beginning, by whose numbers it knows what it had."""
    partition, _ = await post_group(ledger)
    channel = await connections.plain_channel(broker.connection)
    room: Any = {"x-max-length": GROUP // 2, "x-overflow": "reject-publish"}
    queue = await channel.declare_queue(exclusive=True, arguments=room)
    await queue.bind(names.EVENTS_EXCHANGE, f"transfer.posted.{partition}")
    keys: list[str] = []

    async def full() -> bool:
        found = await channel.declare_queue(queue.name, passive=True)
        return found.declaration_result.message_count == GROUP // 2

    async def take() -> bool:
        incoming = await queue.get(fail=False, no_ack=True)
        if incoming is not None:
            keys.append(json.loads(incoming.body)["data"]["externalUniqueId"])
        return keys[-1:] == [f"whole-{GROUP - 1:05}"]

    async with relaying(database, broker):
        await eventually(full)
        if not restarted:
            await eventually(take, within_s=30)
    if restarted:
        async with relaying(database, broker):
            await eventually(take, within_s=30)
    await connections.close(channel)
    wholes = [int(key[-5:]) for key in keys if key.startswith("whole-")]
    again = len(wholes) - GROUP
    assert wholes == [*range(again), *range(GROUP)]
    assert (again > 0) is restarted


def told_of(received: list[tuple[str, dict[str, Any]]], partition: int) -> list[str]:
    """The keys of one partition's events, as they came."""
    return [
        body["data"]["externalUniqueId"] for _, body in received if body["partition"] == partition
    ]
