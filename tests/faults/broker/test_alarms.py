"""The broker is short of memory or disk: nothing new is accepted, and whoever asks is told so at
once; what was accepted is finished."""

from __future__ import annotations

import asyncio

import pytest

from producers import metrics
from tests.faults.broker.own_broker import OwnBroker
from tests.faults.towns import Town
from tests.polling import eventually, until

CLEARS_WITHIN_S = 30


def refusing(town: Town) -> bool:
    """Whether the gateway has heard of the alarm."""
    return "alarm" in town.running.gateway.checks()["broker"]


@pytest.mark.parametrize("short_of", ["memory", "disk"])
async def test_while_an_alarm_lasts(town: Town, own: OwnBroker, short_of: str) -> None:
    """The broker tells only whoever publishes, so the payments of that moment are in doubt and end
    as they may; every later one is refused at once, for certain, with a time to come again. Reads
    go on. When the alarm is over, payments do too, by themselves."""
    set_alarm = own.set_memory_alarm if short_of == "memory" else own.set_disk_alarm
    await set_alarm(True)
    doubtful = await asyncio.gather(
        *(town.till.pay(f"doubtful-{n}", payer=n, wait_s=1) for n in range(8))
    )
    assert {answer.status_code for answer in doubtful} <= {202, 503, 504}
    await until(lambda: refusing(town))
    # Not one of them may wait for anything: less for all than the patience of the first.
    async with asyncio.timeout(20):
        refused = [
            await town.till.pay(f"refused-{n}-{wait_s}", payer=n, wait_s=wait_s)
            for n in range(8)
            for wait_s in (30.0, None)
        ]
    assert {answer.status_code for answer in refused} == {503}
    assert all(int(answer.headers["retry-after"]) >= 1 for answer in refused)
    assert (await town.till.http.get("/readyz")).status_code == 503
    assert await town.till.in_books() == {}
    await set_alarm(False)
    print(f"paying again after {await town.till.paying_again(CLEARS_WITHIN_S):.2f} s")
    told = await town.till.reconcile()
    assert told["REFUSED"] >= 16
    assert set(told) <= {"APPLIED", "EXPIRED", "REFUSED"}


async def test_an_alarm_while_replies_are_due(town: Town, own: OwnBroker) -> None:
    """Commands wait for the database when the alarm comes, so their outcomes can be sent to nobody.
    The consumers must not wait for that: they apply and acknowledge, so that the broker's memory
    drains; the callers, who still wait, are answered from the books."""
    town.booking.stall()
    asked = [
        asyncio.create_task(town.till.pay(f"due-{n:05}", payer=n, wait_s=25)) for n in range(8)
    ]
    await until(lambda: town.running.gateway.report()["waiting_commands"] == 8)
    await until(lambda: all(p.buffer or p.epoch for p in town.consumers[0]._lane.partitions))
    await own.set_memory_alarm(True)
    looked_up = metrics.LOOKED_UP._value.get()
    town.booking.resume()
    answers = await asyncio.gather(*asked)
    assert [answer.status_code for answer in answers] == [201] * 8
    assert metrics.LOOKED_UP._value.get() > looked_up

    async def drained() -> bool:
        return await own.held() == 0

    await eventually(drained)
    await own.set_memory_alarm(False)
    await town.till.paying_again(CLEARS_WITHIN_S)
    assert set(await town.till.reconcile()) <= {"APPLIED", "REFUSED", "EXPIRED"}
