"""What becomes of payouts that nobody is asked about any more: stuck, lapsed, given back."""

from __future__ import annotations

import asyncio
from typing import Final

import structlog

from bank.payouts import orders
from bank.services import ACTOR, Services
from bank.sql import PAYOUTS as SQL
from ledger.commands import ReleaseSession
from producers.commands import Answered
from topology.errors import Unavailable

_AT_ONCE: Final = 100
_WAIT_S: Final = 10.0
_LAPSED: Final = (
    "the bank's own authorisers have not spoken in time: look in its pages; when it is certain that"
    " it will not be paid, give it up"
)

_log = structlog.get_logger(__name__)


class Following:
    """Payouts whose rows cannot be booked, and those that the bank's authorisers let lapse."""

    def __init__(self, services: Services) -> None:
        self._pool = services.pool

    async def run(self) -> None:
        for row in await self._pool.fetch(SQL.problems):
            _log.warning("payout.problem", payout=str(row["payout_id"]), problem=row["problem"])
        for row in await self._pool.fetch(SQL.lapsed, _LAPSED):
            _log.warning("payout.lapsed", payout=str(row["payout_id"]))


class Releasing:
    """Gives back what is held for payouts that will not happen.

    By what the books hold, not by what was done before: a reservation that was placed after its
    payout had ended, or whose release was lost, is found all the same. Nothing is released of a
    payout whose debit row is there and not booked yet.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    async def run(self) -> None:
        after, pool, waiting = "", self._services.pool, 0
        while sessions := await pool.fetch(SQL.sessions, after, _AT_ONCE):
            after = sessions[-1]["session_id"]
            ids = [orders.payout_of(row["session_id"]) for row in sessions]
            over = {row["payout_id"] for row in await pool.fetch(SQL.over, [i for i in ids if i])}
            released = await asyncio.gather(
                *(
                    self._released(ReleaseSession(row["wallet_id"], row["session_id"]))
                    for row, payout_id in zip(sessions, ids, strict=True)
                    if payout_id in over
                )
            )
            waiting += released.count(False)
        if waiting:
            raise Unavailable(f"{waiting} reservations could not be released yet")

    async def _released(self, command: ReleaseSession) -> bool:
        """Whether it was decided."""
        try:
            answer = await self._services.commands.ask(command, actor=ACTOR, wait_s=_WAIT_S)
        except Unavailable:
            return False
        decided = isinstance(answer, Answered)
        _log.info("payout.released", session=command.session_id, decided=decided)
        return decided
