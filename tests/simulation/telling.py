"""How findings name a call, and how an answer's transfer is held against its row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.simulation.history import Operation
from tests.simulation.rows import TransferRow, minor


def told(operation: Operation) -> str:
    return (
        f"#{operation.number} {operation.kind} key={operation.key}"
        f" status={operation.status} command={operation.command_id}"
    )


def transfer_as_told(row: TransferRow, answer: Mapping[str, Any]) -> str:
    """What an answer's transfer says differently from the row; empty where nothing."""
    said = {
        "transferId": str(row.transfer_id),
        "externalUniqueId": row.external_unique_id,
        "fromWalletId": str(row.from_wallet_id),
        "toWalletId": str(row.to_wallet_id),
        "sessionId": row.session_id,
    }
    for name, value in said.items():
        if answer.get(name) != value:
            return f"{name}={answer.get(name)}"
    if minor(answer["amount"]) != row.amount_minor:
        return f"amount={answer['amount']}"
    return ""
