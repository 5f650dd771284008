"""Asking the bank to pay: once.

The order of things is all there is to it. ``SUBMITTING`` is committed, then the bank is asked, then
its answer is kept. Whoever is ended in between leaves ``SUBMITTING`` behind, and nobody knows
whether the bank has heard: it becomes ``UNKNOWN``, and only the statement, or two people, end that.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog

from bank.failures import DATABASE_ERRORS
from bank.investec.client import Investec
from bank.investec.errors import NotAdmitted, OutcomeUnknown, Refused, Unavailable
from bank.investec.records import Beneficiary, Payment, Submitted
from bank.metrics import PAYOUTS
from bank.payouts import names, orders
from bank.payouts.orders import Payout
from bank.payouts.payees import Missing, find
from bank.payouts.placing import step
from bank.payouts.states import Event, State, target
from bank.services import Services
from bank.sql import PAYOUTS as SQL

_AT_ONCE: Final = 50
#: Between writing down that the bank is asked and asking it there is nothing to do: a process that
#: took longer was frozen, and others may have decided what it does not know.
_FRESH_S: Final = 5.0
#: What the bank has answered is worth some patience with the database.
_KEEP_TRIES: Final = 20
_KEEP_PAUSE_S: Final = 0.5
_NOT_HELD: Final = "its reservation was released: nothing is held for it any more"
_NO_API: Final = "there is no API to the bank: payments go in files that people upload"
_FOUND: Final = "the process ended while it asked the bank, which may have heard it"

_log = structlog.get_logger(__name__)


class Submitting:
    """One payment a call, the oldest first; a bank that is away is asked again later."""

    def __init__(self, services: Services) -> None:
        self._pool, self._bank = services.pool, services.bank
        self._wake, self._authorised_within = services.wake, services.authorised_within
        self._accounts = sorted(services.follow.accounts)

    async def run(self) -> None:
        # A run keeps what came of every payment it asked for; so what is found is a run's that was
        # broken off.
        for row in await self._pool.fetch(SQL.found_submitting, _FOUND):
            _log.error("payout.unknown", payout=str(row["payout_id"]), reason=_FOUND)
            PAYOUTS.labels(State.UNKNOWN).inc()
        while waiting := await self._pool.fetch(SQL.to_submit, _AT_ONCE, self._accounts):
            payouts = [orders.read(row) for row in waiting if row["is_held"]]
            for row in waiting:
                if not row["is_held"]:
                    await step(self._pool, orders.read(row), Event.CANCELLED, _NOT_HELD)
            if self._bank is None:
                for payout in payouts:
                    await step(self._pool, payout, Event.BENEFICIARY_MISSING, _NO_API)
            else:
                for payout in payouts:
                    await self._submit(self._bank, payout)

    async def _submit(self, bank: Investec, payout: Payout) -> None:
        # Looked up for each: an entry that people change meanwhile is not what was approved.
        payment = _payment(payout, await bank.beneficiaries())
        if isinstance(payment, Missing):
            await step(self._pool, payout, Event.BENEFICIARY_MISSING, payment.why)
            return
        loop = asyncio.get_running_loop()
        begun_s = loop.time()
        found = await self._pool.fetch(SQL.submitted, payout.payout_id, payment.beneficiary_id)
        if not found:
            return  # cancelled, exported, or found to be paid by now
        payout = orders.read(found[0])
        if loop.time() - begun_s > _FRESH_S:
            await self._keep(SQL.not_asked, payout, "the process was held up before it asked")
        else:
            await self._ask(bank, payout, payment)

    async def _ask(self, bank: Investec, payout: Payout, payment: Payment) -> None:
        """Raises what says that the bank cannot be asked now."""
        try:
            taken = await bank.pay(payout.order.account_id, payment)
        except (Unavailable, NotAdmitted) as error:
            await self._keep(SQL.not_asked, payout, str(error))
            raise
        except Refused as error:
            await self._keep_step(payout, Event.REFUSED, f"the bank refused: {error}")
            self._wake(names.RELEASE)
        except OutcomeUnknown as error:
            await self._keep_step(payout, Event.UNHEARD, str(error))
        else:
            await self._taken_in(payout, taken)

    async def _taken_in(self, payout: Payout, taken: Submitted) -> None:
        within = self._authorised_within if taken.authorisation_required else None
        await self._keep(SQL.taken_in, payout, taken.payment_reference, taken.status, within)

    async def _keep_step(self, payout: Payout, event: Event, reason: str) -> None:
        await self._keep(SQL.answered, payout, target(event).value, reason)

    async def _keep(self, statement: str, payout: Payout, *what: object) -> None:
        """Keep what the bank said to this asking, and to no other: by now somebody else may ask for
        the same payout. Should the database be away for longer than this tries, the
        answer is lost and the payout will be found ``SUBMITTING``."""
        for tries_left in reversed(range(_KEEP_TRIES)):
            try:
                found = await self._pool.fetch(statement, payout.payout_id, payout.submitted, *what)
            except DATABASE_ERRORS:
                if not tries_left:
                    raise
                await asyncio.sleep(_KEEP_PAUSE_S)
            else:
                state = found[0]["state"] if found else "unchanged"
                _log.info("payout.asked", payout=str(payout.payout_id), state=state)
                PAYOUTS.labels(state).inc()
                return


def _payment(payout: Payout, known: Sequence[Beneficiary]) -> Payment | Missing:
    beneficiary = find(payout.order.payee, known)
    if isinstance(beneficiary, Missing):
        return beneficiary
    try:
        return Payment(
            beneficiary_id=beneficiary.beneficiary_id,
            amount=payout.amount,
            my_reference=payout.my_reference,
            their_reference=payout.order.their_reference,
        )
    except ValueError as error:
        return Missing(f"the API cannot be asked for this payment: {error}")
