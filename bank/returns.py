"""Suspense that goes back to its sender: somebody pays it back at the bank, naming the action, and
the debit row that says so ends it. Until then nothing has moved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import uuid_utils.compat

from bank.claims import Claim, Wait
from bank.matching import references
from bank.refusals import Conflict, NotValid
from bank.sql import ACTIONS as SQL
from bank.sql import DEPOSITS, PAYOUTS
from bank.stored import Purpose, StoredRow


class Returns:
    """The claimant of debits that pay suspense back to where it came from."""

    async def claim(self, connection: Any, row: StoredRow) -> Claim | Wait | None:
        """The money has left the bank; with that the action is done. A debit that names a return
        and is not it waits until people have looked, as does the action."""
        named = list(references(row.line.description))
        if row.line.credit or not named:
            return None
        found = await connection.fetch(SQL.awaited_return, row.account_id, named)
        fitting = [
            each
            for each in found
            if each["amount_minor"] == row.line.amount_minor and each["status"] == "AWAITING_BANK"
        ]
        if len(fitting) != 1:
            return await _doubtful(connection, row, found)
        (action,) = fitting
        await connection.execute(SQL.step, action["action_id"], "AWAITING_BANK", "DONE", None)
        return Claim(row.suspense_wallet, Purpose.RETURNED, action["reference"])

    async def booked(self, connection: Any, row: StoredRow, transfer_id: UUID) -> None:
        """Nothing more to do."""


async def require_back(connection: Any, debit: Mapping[str, Any], wallets: Sequence[UUID]) -> None:
    """Whether the debit of a return may be taken back in favour of these wallets; of any other row
    nothing is asked. What it returned lies in suspense again, but where that was taken back too:
    there nobody could ask for it. Raises ``BankRefusal``."""
    if debit["purpose"] != Purpose.RETURNED:
        return
    # Locked: nobody begins to take that one back while this one's request is on its way.
    returned = await connection.fetchrow(SQL.lock_returned, debit["matched_by"])
    found = await connection.fetchrow(SQL.lately, returned["row_id"])
    if found is not None and found["status"] != "DONE":
        raise Conflict(
            f"there is action {found['action_id']} about what it returned: {found['status']}"
        )
    if returned["retracted"] is None and wallets:
        raise NotValid("is not for this row: what it returned lies in suspense again", "/shares")
    if returned["retracted"] is not None and (not wallets or debit["suspense_wallet"] in wallets):
        raise NotValid("has to say to whom: what it returned was taken back too", "/shares")


async def require_paid(connection: Any, return_id: UUID) -> None:
    """Whether the return's debit stands, and nobody is about to take it back. Raises
    ``Conflict``."""
    found = await connection.fetchrow(SQL.taking_back_debit, return_id)
    if found is not None:
        raise Conflict(
            f"there is action {found['action_id']} about the debit that returned it:"
            f" {found['status']}"
        )


async def taken_back(connection: Any, row: Mapping[str, Any]) -> None:
    """The row was none. Where it was a return's debit, that return waits for another one, and its
    money lies in suspense like before."""
    if row["purpose"] == Purpose.RETURNED:
        await connection.execute(SQL.await_again, row["matched_by"])


async def _doubtful(
    connection: Any, row: StoredRow, found: Sequence[Mapping[str, Any]]
) -> Wait | None:
    # Not that of payouts: who has looked at this doubt has said nothing about one of theirs.
    fingerprint = f"return {row.row_id}"
    if not found or await connection.fetchval(PAYOUTS.on_its_own, row.row_id, fingerprint):
        return None
    named = ", ".join(f"{each['reference']} ({each['status']})" for each in found)
    why = f"it names a return and is not it: {named}"
    await connection.execute(
        DEPOSITS.raise_,
        *(uuid_utils.compat.uuid7(), row.account_id, "PAYOUT", fingerprint),
        *(row.row_id, None, why),
    )
    return Wait(why)
