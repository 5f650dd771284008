"""Statement files as people hand them in, and as a second person approves them."""

from __future__ import annotations

import json
from typing import Any

from gateway import bank_schemas as schemas
from tests.integration.banks import Branch
from tests.polling import eventually

COLUMNS = json.dumps({"date": "Date", "description": "Details", "amount": "Amount"})
HEADER = "Date,Details,Amount\n"


async def handed_in(
    town: Branch, body: str | bytes, expect: int = 202, approve: bool = True, **query: str
) -> Any:
    """The statement's document, read to its end; approved by a second person where it has to be."""
    asked = {"accountId": town.play.account_id, "format": "CSV", **query}
    if asked["format"] == "CSV":
        asked.setdefault("columns", COLUMNS)
    answer = await town.http.post(
        "/v1/bank/statements",
        params=asked,
        content=body,
        headers={**town.running.key("bank"), "Content-Type": "application/octet-stream"},
    )
    assert answer.status_code == expect, answer.text
    taken = answer.json()
    if expect != 202:
        return taken

    path = f"/v1/bank/statements/{taken['statementId']}"
    found = await eventually(lambda: standing(town, path), 30)
    schemas.StatementSchema.model_validate(found)
    if approve and found["status"] == "AWAITING_APPROVAL":
        await town.post("approver", f"{path}/approvals", {})
        found = await eventually(lambda: standing(town, path), 30)
    return found


async def standing(town: Branch, path: str) -> Any:
    """The statement, once nothing more comes of it by itself."""
    found = await town.running.get(path)
    return found if found["finished"] or found["status"] == "AWAITING_APPROVAL" else None
