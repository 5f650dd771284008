"""Seeing to it that an order's money is held, or that everybody knows it is not."""

from __future__ import annotations

import asyncio
from typing import Final
from uuid import UUID

import structlog

from bank.payouts import names, orders
from bank.payouts.accounts import sources as sources_of
from bank.payouts.orders import Payout
from bank.payouts.states import Event, sources, target
from bank.services import ACTOR, Services
from bank.sql import PAYOUTS as SQL
from ledger.database import Queries
from ledger.outcomes import ReservationPlaced, Result
from ledger.rejections import TOO_LATE, Code, Rejection
from producers.commands import Answered
from topology.errors import Unavailable

_AT_ONCE: Final = 100
_WAIT_S: Final = 10.0
_FIRST: Final = UUID(int=0)
_THE_BANKS: Final = "the wallet stands for a bank account itself"
_PASSING: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})

_log = structlog.get_logger(__name__)


class Placing:
    """Goes on with orders whose gateway has not come back with an answer: it was killed, or left by
    its reply. The reservation is asked for under the same key, so it is the same one."""

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        """All of them once, many at a time: one whose partition is stopped keeps no other
        waiting."""
        after, waiting = _FIRST, 0
        while rows := await self._services.pool.fetch(SQL.left, after, _AT_ONCE):
            payouts = [orders.read(row) for row in rows]
            after = payouts[-1].payout_id
            results = await asyncio.gather(*map(self._place, payouts), return_exceptions=True)
            self._services.wake(names.SUBMIT)
            for result in results:
                if isinstance(result, Unavailable):
                    waiting += 1
                elif isinstance(result, BaseException):
                    raise result
        if waiting:
            raise Unavailable(f"{waiting} orders wait for the ledger")

    async def _place(self, payout: Payout) -> None:
        services, last = self._services, payout.not_after
        accounts = await sources_of(services.pool)
        if any(payout.order.wallet_id in account.wallets for account in accounts):
            await not_reserved(services.pool, payout, _THE_BANKS)
            return
        if last is not None and last <= services.clock.decision_time():
            # A command that was sent before cannot be decided any more; one that was is there.
            if not await services.pool.fetchval(SQL.is_reserved, payout.session_id):
                await not_reserved(services.pool, payout, f"{TOO_LATE.code}: {TOO_LATE.detail}")
                return
            last = None
        answer = await services.commands.ask(
            payout.reservation, actor=ACTOR, wait_s=_WAIT_S, deadline=last
        )
        if not isinstance(answer, Answered):
            raise Unavailable("the reservation is on its way, and not decided yet")
        result = answer.outcome.result
        # What says nothing about the money is no reason to refuse an order that nobody waits for.
        if isinstance(result, Rejection) and result.code in _PASSING:
            raise Unavailable(f"the ledger refused it for now: {result.code}")
        await reserved(self._services.pool, payout, result)


async def reserved(connection: Queries, payout: Payout, result: Result) -> None:
    """Keep what became of the reservation. Where somebody else has kept another word meanwhile,
    that one counts: a reservation too many is released (``Releasing``)."""
    if _holds(result):
        await connection.fetch(SQL.reserved, payout.payout_id)
    elif isinstance(result, Rejection):
        await not_reserved(connection, payout, f"{result.code.value}: {result.detail}")
    else:
        raise TypeError(f"{type(result).__name__} is no answer to a reservation")


async def not_reserved(connection: Queries, payout: Payout, why: str) -> None:
    """The order will not be carried out, and its key is free again."""
    await step(connection, payout, Event.NOT_RESERVED, why)


async def step(connection: Queries, payout: Payout, event: Event, reason: str) -> bool:
    """Whether it could happen still."""
    states = [state.value for state in sources(event)]
    found = await connection.fetch(SQL.step, payout.payout_id, states, target(event).value, reason)
    _log.info("payout.step", payout=str(payout.payout_id), event_=event.value, done=bool(found))
    return bool(found)


def _holds(result: Result) -> bool:
    if isinstance(result, ReservationPlaced):
        return True
    return (
        isinstance(result, Rejection)
        and result.code is Code.DUPLICATE_RESERVATION
        and result.same_payload is True
    )
