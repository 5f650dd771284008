"""Rows of payouts, as they are claimed and booked with all other rows."""

from __future__ import annotations

from typing import Any, Final
from uuid import UUID

import structlog
import uuid_utils.compat

from bank import metrics
from bank.claims import Claim, Wait
from bank.payouts import orders
from bank.payouts.recognising import Belongs, Doubtful, Part, Seen, TooEarly, recognise
from bank.payouts.states import WITH_THE_BANK
from bank.services import ACTOR
from bank.sql import DEPOSITS, PAYOUTS
from bank.stored import StoredRow

EXCEPTION: Final = "PAYOUT"
_IN_SUSPENSE: Final = (
    "it came back, and its wallet could not have it: the money went to suspense, as row {row_id}"
)
_TAKEN_BACK: Final = "its row has vanished, and action {action_id} has taken its booking back"

_log = structlog.get_logger(__name__)


class PayoutRows:
    """``bank.claims.Claimant``. A payout whose row is claimed is only booked from then on: by a
    transfer from its wallet that frees what is held for it, and that the wallet can also pay where
    nothing is held any more. Where it cannot, the row stays unbooked, an exception says so, and the
    same transfer is asked for again and again."""

    async def claim(self, connection: Any, row: StoredRow) -> Claim | Wait | None:
        line = row.line
        seen = Seen(
            account_id=row.account_id,
            credit=line.credit,
            amount_minor=line.amount_minor,
            description=line.description,
            posting_date=line.posting_date,
        )
        found = await recognise(connection, seen)
        match found:
            case Belongs(part=Part.MADE | Part.MADE_AGAIN):
                return await _made(connection, row, found)
            case Belongs():
                return await _came_back(connection, row, found)
            case TooEarly():
                return Wait("it undoes a payout whose own row is not booked yet")
            case Doubtful() if await connection.fetchval(
                PAYOUTS.on_its_own, row.row_id, str(row.row_id)
            ):
                return None
            case Doubtful():
                await _raise(connection, row, found.why)
                # A credit goes to suspense, where people look; a debit is no bank charge yet.
                return None if line.credit else Wait(found.why)
            case None:
                await _resolve(connection, row)
                return None

    async def booked(self, connection: Any, row: StoredRow, transfer_id: UUID) -> None:
        if row.line.credit:
            reason = _IN_SUSPENSE.format(row_id=row.row_id)
            found = await connection.fetch(PAYOUTS.returned, row.row_id, transfer_id, reason)
        else:
            found = await connection.fetch(PAYOUTS.settled, row.row_id, transfer_id)
        for record in found:
            state = record["state"]
            _log.info("payout.booked", payout=str(record["payout_id"]), state=state)
            metrics.PAYOUTS.labels(state).inc()


async def taken_back(connection: Any, row_id: UUID, action_id: UUID) -> None:
    """Two people have taken the booking of a row back, which has vanished: if it was a payout's,
    that stands as if there had never been such a row. Within the transaction that keeps it."""
    reason = _TAKEN_BACK.format(action_id=action_id)
    for statement in (PAYOUTS.not_made, PAYOUTS.not_returned, PAYOUTS.told):
        for record in await connection.fetch(statement, row_id, reason):
            payout, state = str(record["payout_id"]), record["state"]
            _log.warning("payout.taken_back", payout=payout, state=state)


async def _made(connection: Any, row: StoredRow, found: Belongs) -> Claim | Wait:
    payout = found.payout
    wallet_id = await connection.fetchval(PAYOUTS.claim_debit, payout.payout_id, row.row_id)
    if wallet_id is None:
        return Wait(f"payout {payout.my_reference} is changing at this moment")
    await _resolve(connection, row)
    if found.part is Part.MADE and payout.state not in WITH_THE_BANK:
        await _raise(
            connection,
            row,
            f"the bank has made payout {payout.my_reference}, which was {payout.state.value}:"
            " nobody was to make it then. Its wallet is debited if it can be",
        )
    key = await orders.unused_key(connection, payout)
    return Claim(wallet_id, "PAYOUT", payout.my_reference, session_id=key, transfer_key=key)


async def _came_back(connection: Any, row: StoredRow, found: Belongs) -> Claim | Wait:
    payout = found.payout
    wallet_id = await connection.fetchval(PAYOUTS.claim_return, payout.payout_id, row.row_id)
    if wallet_id is None:
        return Wait(f"payout {payout.my_reference} is changing at this moment")
    return Claim(
        wallet_id,
        "PAYOUT_RETURNED",
        payout.my_reference,
        transfer_key=f"payout-return:{row.row_id}",
    )


async def _raise(connection: Any, row: StoredRow, detail: str) -> None:
    await connection.execute(
        DEPOSITS.raise_,
        *(uuid_utils.compat.uuid7(), row.account_id, EXCEPTION, str(row.row_id)),
        *(row.row_id, None, detail),
    )


async def _resolve(connection: Any, row: StoredRow) -> None:
    """What was doubtful about the row is not any more."""
    await connection.execute(
        *(DEPOSITS.resolve_row, row.row_id, [EXCEPTION], "CLOSED_BY_ITSELF", ACTOR, None)
    )
