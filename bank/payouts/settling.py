"""Payouts that share their row: each is booked like one that has its own, the row with the last."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final
from uuid import UUID

import structlog

from bank import metrics
from bank.booking import PASSING, command_of, stuck
from bank.payouts.paid_as_one import PURPOSE
from bank.payouts.states import State
from bank.services import ACTOR, Services
from bank.sql import DEPOSITS
from bank.sql import PAYOUTS as SQL
from bank.stored import StoredRow, row_of
from ledger.outcomes import TransferPosted
from ledger.records import Transfer
from ledger.rejections import Code, Rejection
from producers.commands import Answered
from topology.errors import Unavailable

_AT_ONCE: Final = 64
_WAIT_S: Final = 20.0
_FIRST: Final = UUID(int=0)

_log = structlog.get_logger(__name__)


class Settling:
    """One that the ledger refuses keeps no other waiting, but the row: it stays unbooked with an
    exception, and what is missing of it is asked for every ten minutes."""

    def __init__(self, services: Services) -> None:
        self._services, self._pool = services, services.pool

    async def run(self) -> None:
        after, waiting = _FIRST, 0
        refused: dict[UUID, tuple[StoredRow, str]] = {}
        while records := await self._pool.fetch(SQL.sharing, after, _AT_ONCE):
            after = records[-1]["payout_id"]
            results = await asyncio.gather(*map(self._settle, records), return_exceptions=True)
            for record, result in zip(records, results, strict=True):
                if isinstance(result, Unavailable):
                    waiting += 1
                elif isinstance(result, BaseException):
                    raise result
                elif result is not None:
                    problem = f"payout {record['my_reference']}: {result}"
                    refused.setdefault(record["row_id"], (row_of(record), problem))
        for row, problem in refused.values():
            await stuck(self._services, row, "REFUSED", problem)
        await self._book()
        if waiting:
            raise Unavailable(f"{waiting} payouts of files wait for the ledger")

    async def _settle(self, record: Mapping[str, Any]) -> str | None:
        """Why the ledger will not have it; None where it has."""
        row = row_of(record)
        answer = await self._services.commands.ask(command_of(row), actor=ACTOR, wait_s=_WAIT_S)
        if not isinstance(answer, Answered):
            raise Unavailable("the transfer is on its way, and not decided yet")
        match answer.outcome.result:
            case TransferPosted(transfer=transfer):
                pass
            case Rejection(code=Code.DUPLICATE_TRANSFER, transfer=Transfer() as transfer):
                if _sides(transfer) != (row.wallet_id, row.control_wallet, row.line.amount_minor):
                    return f"its key is that of another transfer, {transfer.transfer_id}"
            case Rejection(code=code) if code in PASSING:
                raise Unavailable(f"the ledger refused it for now: {code}")
            case Rejection() as refusal:
                return f"{refusal.code}: {refusal.detail}"
            case other:
                raise TypeError(f"a payout cannot come to {type(other).__name__}")
        if await self._pool.fetch(SQL.settled_alone, record["payout_id"], transfer.transfer_id):
            _log.info("payout.booked", payout=str(record["payout_id"]), state=State.SETTLED)
            metrics.PAYOUTS.labels(State.SETTLED).inc()
        return None

    async def _book(self) -> None:
        booked = await self._pool.fetch(SQL.all_settled)
        for found in booked:
            row_id = found["row_id"]
            async with self._pool.acquire() as connection, connection.transaction():
                booking = (row_id, found["transfer_id"], found["wallet_id"])
                if await connection.fetchval(DEPOSITS.book, *booking) is not None:
                    metrics.BOOKED.labels(PURPOSE).inc()
                    over = (["REFUSED"], "BOOKED", ACTOR, None)
                    await connection.execute(DEPOSITS.resolve_row, row_id, *over)
        if booked:
            self._services.wake("actions")


def _sides(transfer: Transfer) -> tuple[UUID, UUID, int]:
    return transfer.from_wallet_id, transfer.to_wallet_id, transfer.amount_minor
