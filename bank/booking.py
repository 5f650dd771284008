"""Each decided row's transfer, exactly once: the same key, the same movement, however often asked.

What the ledger says under the key is what happened, whoever asked for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

import structlog
import uuid_utils.compat

from bank import metrics
from bank.claims import Claimant
from bank.services import ACTOR, Services
from bank.sql import DEPOSITS as SQL
from bank.stored import StoredRow, row_of
from ledger.commands import DESCRIPTION_LENGTH, PostTransfer, WalletRef
from ledger.money import format_minor
from ledger.outcomes import TransferPosted
from ledger.records import Transfer
from ledger.rejections import Code, Rejection
from producers.commands import Answered
from topology.errors import Unavailable

_AT_ONCE: Final = 64
_WAIT_S: Final = 20.0
_FIRST: Final = UUID(int=0)
#: Refusals that say nothing about the movement: it is asked for again.
PASSING: Final = frozenset({Code.UNAVAILABLE, Code.DEADLINE_EXCEEDED})

_log = structlog.get_logger(__name__)


class Booking:
    """The step that books."""

    def __init__(self, services: Services, claimants: Sequence[Claimant]) -> None:
        self._services, self._claimants = services, claimants

    async def run(self) -> None:
        """Every row that is not booked yet, once; what is not decided in time is asked again."""
        after, problems = _FIRST, 0
        while True:
            records = await self._services.pool.fetch(SQL.unbooked, after, _AT_ONCE)
            if not records:
                break
            rows = [row_of(record) for record in records]
            after = rows[-1].row_id
            results = await asyncio.gather(*map(self._book, rows), return_exceptions=True)
            for result in results:
                if isinstance(result, Unavailable):
                    problems += 1
                elif isinstance(result, BaseException):
                    raise result
        if problems:
            raise Unavailable(f"{problems} rows could not be sent to the ledger")

    async def _book(self, row: StoredRow) -> None:
        if row.not_before is not None and self._services.clock.now() <= row.not_before:
            raise Unavailable("the ledger has just refused it")
        answer = await self._services.commands.ask(command_of(row), actor=ACTOR, wait_s=_WAIT_S)
        if not isinstance(answer, Answered):
            raise Unavailable("the transfer is on its way, and not decided yet")
        match answer.outcome.result:
            case TransferPosted(transfer=transfer):
                await self._booked(row, transfer)
            case Rejection(code=Code.DUPLICATE_TRANSFER, transfer=Transfer() as transfer):
                await self._found(row, transfer)
            case Rejection(code=code) if code in PASSING:
                raise Unavailable(f"the ledger refused it for now: {code}")
            case Rejection() as refusal:
                await self._refused(row, refusal, answer.outcome.decided)
            case other:
                raise TypeError(f"a booking cannot come to {type(other).__name__}")

    async def _found(self, row: StoredRow, transfer: Transfer) -> None:
        """The key is used. By us, to whichever wallet it was then; or by somebody else."""
        control, amount = row.control_wallet, row.line.amount_minor
        ours = transfer.from_wallet_id if row.line.credit else transfer.to_wallet_id
        if ours == control and transfer.amount_minor == amount:
            await self._booked(row, transfer)
            return
        detail = f"the key {row.transfer_key} is that of another transfer, {transfer.transfer_id}"
        await stuck(self._services, row, "KEY_TAKEN", detail)

    async def _booked(self, row: StoredRow, transfer: Transfer) -> None:
        wallet = transfer.to_wallet_id if row.line.credit else transfer.from_wallet_id
        async with self._services.pool.acquire() as connection, connection.transaction():
            first = await connection.fetchval(SQL.book, row.row_id, transfer.transfer_id, wallet)
            if first is None:
                return
            metrics.BOOKED.labels(row.purpose).inc()
            await connection.execute(
                *(SQL.resolve_row, row.row_id, ["REFUSED", "KEY_TAKEN"], "BOOKED", "bank", None)
            )
            for claimant in self._claimants:
                await claimant.booked(connection, row, transfer.transfer_id)
        self._services.wake("actions")  # one that takes it back may have waited for it

    async def _refused(self, row: StoredRow, refusal: Rejection, decided: datetime) -> None:
        detail = f"{refusal.code}: {refusal.detail}"
        if row.line.credit and row.wallet_id != row.suspense_wallet:
            # Under the same key: should the first one come after all, there is still only one.
            await self._services.pool.execute(
                SQL.redirect, row.row_id, row.wallet_id, row.suspense_wallet, detail, decided
            )
            self._services.wake("booking")
            return
        await stuck(self._services, row, "REFUSED", detail)


async def stuck(services: Services, row: StoredRow, kind: str, detail: str) -> None:
    """The row is not booked for now, and why: an exception, and tried again in ten minutes."""
    _log.error("bank.not_booked", row=str(row.row_id), problem=detail)
    async with services.pool.acquire() as connection, connection.transaction():
        await connection.execute(SQL.stuck, row.row_id, detail)
        await connection.execute(
            SQL.raise_,
            *(uuid_utils.compat.uuid7(), row.account_id, kind, str(row.row_id)),
            *(row.row_id, None, detail),
        )


def command_of(row: StoredRow) -> PostTransfer:
    """The row's transfer, the same whenever it is made again."""
    line = row.line
    sides = (WalletRef(row.control_wallet), WalletRef(row.wallet_id))
    source, target = sides if line.credit else sides[::-1]
    return PostTransfer(
        source,
        target,
        Decimal(format_minor(line.amount_minor, row.exponent)),
        row.transfer_key or "",
        row.currency,
        row.session_id,
        description=line.description[:DESCRIPTION_LENGTH],
        metadata={"bankRow": str(row.row_id)},
    )
