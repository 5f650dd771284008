"""The connection to the books is lost in COMMIT: it happened, or it did not, and the caller is told
which. Never twice, never neither."""

from __future__ import annotations

import asyncio

import pytest

from ledger import database as database_module
from tests.databases import Database
from tests.faults.payments import paying
from tests.integration.processes import Broker
from tests.polling import until
from tests.proxy import COMMIT, Proxy, Then, Way


@pytest.mark.parametrize("then", [Then.CUT_ANSWER, Then.CUT_AFTER])
async def test_a_commit_that_happened_unheard(
    database: Database, broker: Broker, then: Then
) -> None:
    """COMMIT arrives and its answer does not: the consumer finds the outcome and only tells it."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        trap = proxy.trap(Way.TO_SERVER, COMMIT, then)
        answer = await payments.pay("unheard-1", wait_s=20)
        assert trap.sprung.is_set()
        assert answer.status_code == 201
        assert await payments.settled() == {"unheard-1": "APPLIED"}


async def test_a_commit_that_never_arrived(database: Database, broker: Broker) -> None:
    """Everything was written and COMMIT was lost on its way: the batch runs again, once."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        trap = proxy.trap(Way.TO_SERVER, COMMIT, Then.CUT_BEFORE)
        answer = await payments.pay("lost-0001", wait_s=20)
        assert trap.sprung.is_set()
        assert answer.status_code == 201
        assert await payments.settled() == {"lost-0001": "APPLIED"}


async def test_a_commit_whose_answer_does_not_come(database: Database, broker: Broker) -> None:
    """Silence after COMMIT for longer than a consumer waits (5 s): it ends the connection, comes
    back on another one, and finds what the first one did. The caller hears it earlier: its gateway
    looks the outcome up. The answer that comes at last is nobody's any more."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        trap, before = proxy.trap(Way.TO_CLIENT, COMMIT, Then.HOLD), proxy.made
        answer = await payments.pay("silent-01", wait_s=25)
        assert trap.sprung.is_set()
        assert answer.status_code == 201
        await until(lambda: proxy.made > before)
        trap.release()
        assert (await payments.pay("silent-02")).status_code == 201
        assert set((await payments.settled()).values()) == {"APPLIED"}


@pytest.mark.parametrize("arrives", [True, False])
async def test_a_commit_that_is_held_on_its_way(
    database: Database, broker: Broker, monkeypatch: pytest.MonkeyPatch, arrives: bool
) -> None:
    """COMMIT hangs between the machines for longer than a consumer waits, and then arrives late or
    never. Meanwhile the old session still holds the head rows: the new connection has to wait for
    it, for only then is it certain what became of the payment."""
    # The server's own guard would end that session before the consumer gives it up.
    monkeypatch.setitem(
        database_module._WRITER_SETTINGS, "idle_in_transaction_session_timeout", "60s"
    )
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        trap, before = proxy.trap(Way.TO_SERVER, COMMIT, Then.HOLD), proxy.made
        asking = asyncio.create_task(payments.pay("held-0001", wait_s=30))
        await until(trap.sprung.is_set)
        await until(lambda: proxy.made > before)  # the consumer is on another connection by now
        if arrives:
            trap.release()
        else:
            await proxy.cut()
        assert (await asking).status_code == 201
        assert await payments.settled() == {"held-0001": "APPLIED"}


async def test_a_session_that_idles_before_its_commit_is_ended(
    database: Database, broker: Broker
) -> None:
    """As delivered: the server ends a session that idles in a transaction, so that a COMMIT that
    is under way for long can no longer happen; the batch runs again."""
    async with (
        Proxy.before(database.writer) as (proxy, dsn),
        paying(database, broker, writer=dsn) as payments,
    ):
        trap = proxy.trap(Way.TO_SERVER, COMMIT, Then.HOLD)
        answer = await payments.pay("idle-0001", wait_s=25)
        assert trap.sprung.is_set()
        assert answer.status_code == 201
        trap.release()
        assert (await payments.pay("idle-0002")).status_code == 201
        assert set((await payments.settled()).values()) == {"APPLIED"}
