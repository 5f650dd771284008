"""A gateway's way to the broker fails at the worst moments: nothing is applied twice, nothing that
was answered is taken back, and what nobody knows ends in one final word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from producers import metrics
from tests.databases import Database
from tests.faults.till import Till
from tests.faults.towns import Town, faulty_town
from tests.integration.gateways import code, serving
from tests.integration.processes import Broker
from tests.polling import until
from tests.proxy import BASIC_ACK, BASIC_PUBLISH, Then, Trap, Way


@pytest.fixture
async def town(database: Database, broker: Broker) -> AsyncIterator[Town]:
    async with faulty_town(database, broker) as ready:
        yield ready


async def sprung(trap: Trap) -> None:
    """The fault happened: without it the test would prove nothing."""
    async with asyncio.timeout(10):
        await trap.sprung.wait()


async def test_the_confirm_is_lost_and_the_caller_waits(town: Town) -> None:
    """The broker took the payment and its confirm never arrived, the connection went with it. The
    reply, on another connection, answers the caller as if nothing had been."""
    trap = town.publishing.trap(Way.TO_CLIENT, BASIC_ACK, Then.CUT_BEFORE)
    answer = await town.till.pay("confirm-lost-1")
    await sprung(trap)
    assert answer.status_code == 201, answer.text
    await town.till.paying_again(within_s=15)
    assert set(await town.till.reconcile()) <= {"APPLIED", "REFUSED"}


async def test_the_confirm_is_lost_and_nobody_waits(town: Town) -> None:
    """The same for a caller that does not wait: the command may have been accepted, so it is told
    where to ask, never that it failed; and there it is found applied, once."""
    trap = town.publishing.trap(Way.TO_CLIENT, BASIC_ACK, Then.CUT_BEFORE)
    answer = await town.till.pay("confirm-lost-2", wait_s=None)
    await sprung(trap)
    assert answer.status_code == 202
    assert (await town.till.final(answer.headers["location"]))["status"] == "APPLIED"
    assert await town.till.reconcile() == {"APPLIED": 1}


async def test_the_confirm_and_the_reply_are_lost(town: Town) -> None:
    """Every connection of the gateway is gone at the moment of the confirm: the caller, who still
    waits, is answered from the books."""
    trap = town.publishing.trap(Way.TO_CLIENT, BASIC_ACK, Then.CUT_BEFORE)
    reply = town.publishing.trap(Way.TO_CLIENT, bytes((0, 60, 0, 60)), Then.CUT_BEFORE)
    answer = await town.till.pay("both-lost-01")
    await sprung(trap)
    await sprung(reply)
    assert answer.status_code == 201, answer.text
    assert await town.till.reconcile() == {"APPLIED": 1}


async def test_a_publish_that_was_held_up_is_applied_before_its_deadline(town: Town) -> None:
    """The message hangs on the way for longer than a confirm may take. The gateway calls it unknown
    and goes on; it arrives in time, and is applied once."""
    unconfirmed = metrics.UNCONFIRMED._value.get()
    trap = town.publishing.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
    asking = asyncio.create_task(town.till.pay("held-up-0001", wait_s=20))
    sending = asyncio.create_task(town.till.pay("held-up-0002", wait_s=None))
    await sprung(trap)
    await until(lambda: metrics.UNCONFIRMED._value.get() > unconfirmed)
    trap.release()
    assert (await asking).status_code == 201
    assert (await sending).status_code in (202, 503)
    told = await town.till.reconcile()
    assert told["APPLIED"] >= 1
    assert set(told) <= {"APPLIED", "REFUSED", "EXPIRED"}


async def test_what_waits_behind_a_held_publish_is_refused_for_certain(town: Town) -> None:
    """While the first message hangs nothing more is written. Those behind it have not been sent, so
    the end of their patience is a definite refusal, also for one who would not have waited for the
    outcome; and they are never made."""
    trap = town.publishing.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
    first = asyncio.create_task(town.till.pay("in-front-01", wait_s=15))
    await sprung(trap)
    async with asyncio.timeout(10):
        behind = await asyncio.gather(
            *(town.till.pay(f"behind-{n:04}", wait_s=wait_s) for n, wait_s in enumerate([1, None]))
        )
    assert {answer.status_code for answer in behind} == {503}
    trap.release()
    assert (await first).status_code in (201, 202)
    told = await town.till.reconcile()
    assert told["REFUSED"] == 2


async def test_a_publish_that_arrives_after_its_deadline_moves_nothing(town: Town) -> None:
    """The caller has gone with "pending" when the message arrives: it is too late for good, and a
    new payment under the same key is free to be made."""
    trap = town.publishing.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
    late = await town.till.pay("too-late-001", wait_s=0.6)
    await sprung(trap)
    assert late.status_code == 202
    trap.release()
    status = await town.till.final(late.headers["location"])
    assert (status["status"], status["outcome"]["httpStatus"]) == ("EXPIRED", 504)
    assert await town.till.in_books() == {}
    assert await town.till.reconcile() == {"EXPIRED": 1}
    await town.till.paying_again(within_s=15)


async def test_a_publish_that_never_arrives_expires(town: Town) -> None:
    """The connection is cut before the message is out, but the gateway wrote it and cannot know:
    "pending", and in the end "expired", because the broker never had it."""
    trap = town.publishing.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.CUT_BEFORE)
    answers = await asyncio.gather(
        town.till.pay("never-there-1", wait_s=1),
        *(town.till.pay(f"never-there-{n}", wait_s=1) for n in range(2, 6)),
    )
    await sprung(trap)
    assert {answer.status_code for answer in answers} <= {201, 202, 503}
    assert answers[0].status_code == 202
    assert (await town.till.reconcile())["EXPIRED"] >= 1
    await town.till.paying_again(within_s=15)


async def test_a_broker_that_is_slow_or_silent_both_ways_costs_definite_answers_only(
    town: Town,
) -> None:
    """Slow for a while, then silent one way, then the other, then reset, under traffic."""
    async with town.till.busy(wait_s=1):
        town.publishing.latency_s = 0.15
        await town.till.paying_again(within_s=15)
        town.publishing.latency_s = 0.0
        for ways in ((Way.TO_SERVER,), (Way.TO_CLIENT,)):
            town.publishing.stall(*ways)
            answer = await town.till.pay(f"silent-{ways[0].name}", wait_s=1)
            assert answer.status_code in (201, 202, 503)
            town.publishing.resume()
            await town.till.paying_again(within_s=20)
        await town.publishing.cut(reset=True)
        await town.till.paying_again(within_s=20)
    told = await town.till.reconcile()
    assert told["APPLIED"] > 10
    assert set(told) <= {"APPLIED", "EXPIRED", "REFUSED"}


async def test_an_original_frozen_in_one_gateway_meets_the_refusal_of_its_retry(
    town: Town,
) -> None:
    """A payment hangs in one gateway; its caller repeats it through another and is refused for
    want of money. The money comes, and only then the original: it was issued before that refusal,
    so it must not apply any more (DESIGN, rule 7), and is answered with the very same refusal."""
    town.till.payers.append("payer-late")
    await _open(town.till, "payer-late")
    trap = town.publishing.trap(Way.TO_SERVER, BASIC_PUBLISH, Then.HOLD)
    async with serving(town.database.reader, town.broker.url, town.running.keys) as other:
        original = asyncio.create_task(town.till.pay("frozen-001", payer=1, wait_s=25))
        await sprung(trap)
        retry = await town.till.pay("frozen-001", payer=1, http=other.http)
        assert code(retry) == (422, "insufficient-funds")
        second = Till(other.http, [])
        await second.fund("payer-late", "500")
        trap.release()
        answer = await original
        assert code(answer) == (422, "insufficient-funds")
        assert answer.json()["detail"] == retry.json()["detail"]
        assert await town.till.in_books() == {}
        assert await town.till.reconcile() == {"REJECTED": 2}
        # An attempt of now is another matter: the key was never used up.
        again = await town.till.pay("frozen-001", payer=1, http=other.http)
        assert again.status_code == 201
        assert len(await town.till.in_books()) == 1


async def _open(till: Till, name: str) -> None:
    body = {"externalUniqueId": name, "currency": "ZAR"}
    assert (await till.http.post("/v1/wallets", json=body)).status_code == 201


async def test_both_gateways_use_one_key_at_once(database: Database, broker: Broker) -> None:
    """Two callers, two gateways, two wallets on partitions of two consumers, one key, one moment:
    one is posted, and the other hears of that very transfer."""
    async with faulty_town(database, broker, names=("payer-000", "payer-001")) as town:
        await town.stop_consuming()
        await town.consume(slot=0, slots=2)
        await town.consume(slot=1, slots=2)
        async with serving(database.reader, broker.url, town.running.keys) as other:
            for number in range(20):
                key = f"same-key-{number:03}"
                answers = await asyncio.gather(
                    town.till.pay(key, payer=0),
                    town.till.pay(key, payer=1, http=other.http),
                )
                posted, refused = sorted(answers, key=lambda answer: answer.status_code)
                assert posted.status_code == 201, posted.text
                assert code(refused) == (409, "duplicate-transfer")
                assert refused.json()["transfer"] == posted.json()
                assert refused.json()["samePayload"] is False
        assert await town.till.reconcile() == {"APPLIED": 20, "DUPLICATE": 20}
