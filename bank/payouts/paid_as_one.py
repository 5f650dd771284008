"""A payment file that the bank has booked as one debit, where two people say that it has.

From then on the row belongs to all payouts of the file that are neither paid nor given up. Each is
settled by a movement of its own (``bank.payouts.settling``), under its own key.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final
from uuid import UUID

from bank.claims import key_of
from bank.payouts import orders
from bank.payouts.orders import Payout
from bank.payouts.states import State
from bank.refusals import Conflict
from bank.sql import DEPOSITS
from bank.sql import PAYOUTS as SQL
from ledger.money import exponent_of, format_minor

#: What a row is that several payouts share.
PURPOSE: Final = "PAYOUTS"
_WITH_THE_BANK: Final = frozenset({State.AWAITING_BANK, State.UNKNOWN})


async def require(connection: Any, export_id: UUID, row: Mapping[str, Any]) -> list[Payout]:
    """The payouts that the row pays. They stay as they are until the end of the transaction, in
    which the row is locked already. Raises ``Conflict``."""
    payouts = [orders.read(each) for each in await connection.fetch(SQL.of_export, export_id)]
    why = objection(row, payouts)
    if why is not None:
        raise Conflict(why)
    return payouts


async def claim(
    connection: Any, export_id: UUID, row: Mapping[str, Any], payouts: Sequence[Payout]
) -> None:
    """The row is theirs: kept before any of it is sent."""
    row_id, ids = row["row_id"], [payout.payout_id for payout in payouts]
    if len(await connection.fetch(SQL.claim_as_one, ids, row_id)) != len(ids):
        raise RuntimeError("a payout that was locked has changed its state")
    await connection.execute(
        DEPOSITS.decide,
        *(row_id, row["control_wallet"], PURPOSE, str(export_id), [], None),
        key_of(row_id),
    )


def objection(row: Mapping[str, Any], payouts: Sequence[Payout]) -> str | None:
    """Why the row is not that of just these payouts; pure. None where it may be."""
    is_over = row["decided"] is not None or row["vanished"] is not None
    if row["credit"] or row["held"] or is_over:
        return "the row is no debit that waits for somebody's word"
    if not payouts:
        return "there is no such file, or none of its payouts waits for a row"
    for payout in payouts:
        if payout.order.account_id != row["account_id"]:
            return "the file is of another bank account"
        if payout.state not in _WITH_THE_BANK:
            return f"payout {payout.my_reference} of the file is {payout.state.value}"
        if payout.giving_up is not None or payout.named_row is not None:
            return f"somebody says something else of payout {payout.my_reference}: refuse it first"
    total_minor, exponent = sum(p.order.amount_minor for p in payouts), exponent_of(row["currency"])
    if total_minor != row["amount_minor"]:
        return (
            f"what the file has without a row comes to {format_minor(total_minor, exponent)},"
            f" the row to {format_minor(row['amount_minor'], exponent)}"
        )
    return None
