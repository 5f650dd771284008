"""Asking the bank to pay: once.

The order of things is all there is to it. ``SUBMITTING`` is committed, then the bank is asked, then
its answer is kept. Whoever is ended in between leaves ``SUBMITTING`` behind, and nobody knows
whether the bank has heard: it becomes ``UNKNOWN``, and only the statement, or two people, end that.
Whoever was only held up in between, a machine that slept, looks again before the payment leaves:
what others have decided meanwhile counts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Final
from uuid import UUID

import structlog

from bank.failures import DATABASE_ERRORS
from bank.investec.client import Investec
from bank.investec.errors import NotAdmitted, NoToken, OutcomeUnknown, Refused, Unavailable
from bank.investec.records import Beneficiary, Payment, Submitted
from bank.metrics import PAYOUTS
from bank.payouts import names, orders
from bank.payouts.ending import to_its_end
from bank.payouts.orders import Payout
from bank.payouts.payees import Missing, find
from bank.payouts.placing import step
from bank.payouts.states import Event, State, target
from bank.services import Services
from bank.sql import PAYOUTS as SQL

_AT_ONCE: Final = 50
_FIRST: Final = UUID(int=0)
#: Longer than the client tries to send a payment, by the database's clock: a process that takes
#: longer was held up.
_MOMENT: Final = timedelta(seconds=30)
_LOOK_S: Final = 5.0
#: What the bank has answered is worth some patience with the database.
_KEEP_TRIES: Final = 20
_KEEP_PAUSE_S: Final = 0.5
_NOT_HELD: Final = "its reservation was released: nothing is held for it any more"
_NO_API: Final = "there is no API to the bank: payments go in files that people upload"
_FOUND: Final = "the process ended while it asked the bank, which may have heard it"
_FROZEN: Final = "its wallet is frozen: the bank is not asked before it is ACTIVE again"

_log = structlog.get_logger(__name__)


class _Decided(Exception):
    """Others have decided about the payout since it was written down that the bank is asked."""


class Submitting:
    """One payment a call, the oldest first; a bank that is away is asked again later."""

    def __init__(self, services: Services) -> None:
        self._pool, self._bank = services.pool, services.bank
        self._wake, self._authorised_within = services.wake, services.authorised_within
        self._accounts = sorted(services.follow.accounts)

    async def run(self) -> None:
        """Every one once. Raises what says that the bank cannot be asked now for anything; what it
        does not admit keeps nothing else waiting."""
        # A run keeps what came of every payment it asked for; so what is found is a run's that was
        # broken off.
        for row in await self._pool.fetch(SQL.found_submitting, _FOUND):
            _log.error("payout.unknown", payout=str(row["payout_id"]), reason=_FOUND)
            PAYOUTS.labels(State.UNKNOWN).inc()
        await self._pool.execute(SQL.tell_frozen, _FROZEN)
        after, not_admitted = _FIRST, 0
        while waiting := await self._pool.fetch(SQL.to_submit, after, _AT_ONCE, self._accounts):
            for row in waiting:
                payout = orders.read(row)
                if not row["is_held"]:
                    await step(self._pool, payout, Event.CANCELLED, _NOT_HELD)
                elif self._bank is None:
                    await step(self._pool, payout, Event.BENEFICIARY_MISSING, _NO_API)
                else:
                    not_admitted += not await self._submit(self._bank, payout)
            after = waiting[-1]["payout_id"]
        if not_admitted:
            raise NotAdmitted(f"the bank has not admitted {not_admitted} payments")

    async def _submit(self, bank: Investec, payout: Payout) -> bool:
        """False where the bank has not admitted the payment."""
        # Looked up for each: an entry that people change meanwhile is not what was approved.
        payment = _payment(payout, await bank.beneficiaries())
        if isinstance(payment, Missing):
            await step(self._pool, payout, Event.BENEFICIARY_MISSING, payment.why)
            return True
        # Told to stop in the middle of it, nobody would know what the bank has heard.
        return await to_its_end(self._pay(bank, payout, payment))

    async def _pay(self, bank: Investec, payout: Payout, payment: Payment) -> bool:
        found = await self._pool.fetch(SQL.submitted, payout.payout_id, payment.beneficiary_id)
        # Else it was cancelled, exported, found to be paid, or its wallet frozen by now.
        return not found or await self._ask(bank, orders.read(found[0]), payment)

    async def _ask(self, bank: Investec, payout: Payout, payment: Payment) -> bool:
        """Raises what says that the bank cannot be asked now."""
        still_asked = partial(self._require_undecided, payout)
        try:
            taken = await bank.pay(payout.order.account_id, payment, still_asked)
        except _Decided:
            _log.error("payout.not_sent", payout=str(payout.payout_id))
        except (Unavailable, NoToken) as error:
            await self._keep(SQL.not_asked, payout, str(error))
            raise
        except NotAdmitted as error:
            await self._keep(SQL.not_admitted, payout, f"the bank did not admit it: {error}")
            return False
        except Refused as error:
            await self._keep_step(payout, Event.REFUSED, f"the bank refused: {error}")
            self._wake(names.RELEASE)
        except OutcomeUnknown as error:
            await self._keep_step(payout, Event.UNHEARD, str(error))
        else:
            await self._taken_in(payout, taken)
        return True

    async def _require_undecided(self, payout: Payout) -> None:
        """The last look before the payment leaves. Raises ``_Decided``, or ``Unavailable`` where it
        was held up, or nobody can say."""
        try:
            async with asyncio.timeout(_LOOK_S):
                is_fresh = await self._pool.fetchval(
                    SQL.still_asked, payout.payout_id, payout.submitted, _MOMENT
                )
        except DATABASE_ERRORS as error:
            raise Unavailable(f"nothing was sent: the database is away: {error!r}") from error
        if is_fresh is None:
            raise _Decided
        if not is_fresh:
            raise Unavailable("the process was held up before it asked")

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
