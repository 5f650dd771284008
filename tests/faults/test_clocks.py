"""Clocks that jump, stand still or disagree: deadlines are judged rightly or calls are refused."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from ledger import reads
from ledger.database import Queries, connect_owner
from ledger.outcomes import Result, TransferPosted
from ledger.rejections import Code, Rejection
from producers.clock import DatabaseClock
from producers.commands import Answered, Commands
from tests.databases import Database
from tests.faults.payments import paying
from tests.integration.ledger_driver import transfer
from tests.integration.processes import Broker, Producer, consuming, deployment_of
from tests.polling import eventually
from topology.errors import Unavailable

HOUR_S = 3600.0


class Stepped:
    """The same database, before an administrator sets its clock: it is off by ``by_s``."""

    def __init__(self, queries: Queries, by_s: float) -> None:
        self._queries, self.by_s = queries, by_s

    def _off(self, query: str) -> str:
        off = f" + interval '{self.by_s} s'"
        if self.by_s < 0:  # what was decided by then is as old
            query = query.replace("max(decided_at)", f"max(decided_at){off}")
        return query.replace("clock_timestamp()", f"clock_timestamp(){off}")

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        return await self._queries.fetch(self._off(query), *args)

    async def fetchrow(self, query: str, *args: object) -> Any:
        return await self._queries.fetchrow(self._off(query), *args)

    async def fetchval(self, query: str, *args: object) -> Any:
        return await self._queries.fetchval(self._off(query), *args)


class Paying:
    """Payments by a producer whose idea of the time is ``clock``'s."""

    def __init__(self, producer: Producer, commands: Commands) -> None:
        self._producer, self._commands = producer, commands

    @classmethod
    async def with_clock(
        cls, producer: Producer, database: Database, clock: DatabaseClock
    ) -> Paying:
        await producer.wallet("alice-01", "100")
        await producer.wallet("bob-0001")
        commands = Commands(
            deployment=await deployment_of(database),
            clock=clock,
            intake=producer.intake,
            publisher=producer.publisher,
            replies=producer.replies,
        )
        return cls(producer, commands)

    async def pay(self, key: str) -> Result:
        command = transfer("alice-01", "bob-0001", "1", key)
        answer = await self._commands.ask(command, actor="test", wait_s=5)
        assert isinstance(answer, Answered), answer
        return answer.outcome.result

    async def paid(self) -> int:
        """How much has arrived, in whole units."""
        ids = await reads.wallet_ids(self._producer.pool, ["bob-0001"])
        found = await reads.wallet(self._producer.pool, ids["bob-0001"])
        assert found is not None
        return found.state.balance.current_minor // 100


def is_late(result: Result) -> bool:
    return isinstance(result, Rejection) and result.code is Code.DEADLINE_EXCEEDED


async def advance_books(database: Database, by: timedelta) -> datetime:
    """What a clock that ran ahead leaves behind; answers the books' time."""
    owner = await connect_owner(database.owner)
    try:
        await owner.execute("UPDATE heads SET decided_at = clock_timestamp() + $1", by)
        moment: datetime = await owner.fetchval("SELECT min(decided_at) FROM heads")
    finally:
        await owner.close()
    return moment


async def test_the_database_clock_is_set_forward(
    database: Database, broker: Broker, producer: Producer
) -> None:
    """What was issued by the old time is an hour too late: refused, not applied. The next reading
    of the clock follows the step at once."""
    queries = Stepped(producer.pool, -HOUR_S)
    clock = DatabaseClock(queries)
    async with consuming(database, broker):
        paying = await Paying.with_clock(producer, database, clock)
        await clock.sample()
        assert is_late(await paying.pay("stepped-1"))
        queries.by_s = 0
        await clock.sample()
        assert isinstance(await paying.pay("stepped-2"), TransferPosted)
        assert await paying.paid() == 1


async def test_the_database_clock_is_set_back(
    database: Database, broker: Broker, producer: Producer
) -> None:
    """The books do not go back with it: they go on from the latest time they have decided at.
    Deadlines are counted from there as soon as the gateway has read it, and nothing is dated before
    what was posted by the time that ran ahead."""
    queries = Stepped(producer.pool, HOUR_S)
    clock = DatabaseClock(queries)
    async with consuming(database, broker):
        paying = await Paying.with_clock(producer, database, clock)
        ahead = await advance_books(database, timedelta(seconds=HOUR_S))
        await clock.sample()
        first = await paying.pay("ahead-001")
        assert isinstance(first, TransferPosted)
        assert first.transfer.created >= ahead
        queries.by_s = 0
        await clock.sample()
        second = await paying.pay("behind-01")
        assert isinstance(second, TransferPosted)
        assert second.transfer.created > first.transfer.created
        assert await paying.paid() == 2


async def test_time_goes_on_in_books_that_are_ahead(database: Database, broker: Broker) -> None:
    """What waits in them expires, and what is complete becomes complete, as ever."""
    async with consuming(database, broker):
        ahead = await advance_books(database, timedelta(seconds=HOUR_S))
        owner = await connect_owner(database.owner)
        try:

            async def has_gone_on() -> bool:
                return await reads.complete_until(owner) > ahead + timedelta(seconds=2)

            await eventually(has_gone_on)
        finally:
            await owner.close()


async def test_books_that_are_ahead_of_the_clock(database: Database, broker: Broker) -> None:
    """The same through HTTP: until the gateway has noticed, a call that waits may hear 504; after
    that payments are made, dated by the books. One with a day's time is made at once."""
    async with paying(database, broker) as payments:
        assert (await payments.pay("before-01")).status_code == 201
        ahead = await advance_books(database, timedelta(seconds=HOUR_S))
        assert (await payments.pay("leaves-01", prefer="respond-async")).status_code == 202

        async def is_made() -> bool:
            answer = await payments.pay(f"waits-{len(payments.asked):03}")
            assert answer.status_code in (201, 504)
            return answer.status_code == 201

        await eventually(is_made)
        words = await payments.settled()
        assert words["leaves-01"] == "APPLIED"
        payee = await payments.running.get("/v1/wallets", externalUniqueId="payee-01")
        wallet_id = payee["items"][0]["walletId"]
        history = await payments.running.get(f"/v1/wallets/{wallet_id}/transactions")
        moments = [datetime.fromisoformat(entry["created"]) for entry in history["items"]]
        assert moments == sorted(moments)
        assert moments[0] < ahead <= moments[1]


async def test_a_reading_that_is_too_old(
    database: Database, broker: Broker, producer: Producer
) -> None:
    """A gateway that has not heard the database's clock for long refuses to make up deadlines."""
    now_s = [1000.0]
    clock = DatabaseClock(producer.pool, monotonic=lambda: now_s[0])
    async with consuming(database, broker):
        paying = await Paying.with_clock(producer, database, clock)
        await clock.sample()
        assert isinstance(await paying.pay("fresh-001"), TransferPosted)
        now_s[0] += 31
        assert not clock.known
        with pytest.raises(Unavailable):
            await paying.pay("stale-001")
        await clock.sample()
        assert isinstance(await paying.pay("fresh-002"), TransferPosted)
        assert await paying.paid() == 2


async def test_a_gateway_that_slept(database: Database, broker: Broker, producer: Producer) -> None:
    """Its machine was suspended: its own clock stood still while the database's went on. It takes
    the time for earlier than it is, so that its deadlines are too early, never too late."""
    stopped_s = 1000.0
    queries = Stepped(producer.pool, -10.0)
    clock = DatabaseClock(queries, monotonic=lambda: stopped_s)
    async with consuming(database, broker):
        paying = await Paying.with_clock(producer, database, clock)
        await clock.sample()
        assert is_late(await paying.pay("asleep-01"))
        queries.by_s = 0
        await clock.sample()
        assert isinstance(await paying.pay("awake-001"), TransferPosted)
        assert await paying.paid() == 1
