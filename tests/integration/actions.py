"""What people do about rows: asked for by one, approved by another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway import bank_schemas as schemas
from tests.integration.banks import Branch
from tests.polling import eventually


async def suspended(town: Branch, cents: int = 50_00, description: str = "who knows") -> str:
    """A deposit in suspense; answers its row."""
    before = len(await town.rows())
    await town.play.credit(cents, description)
    await town.fetch()
    rows = await town.booked(before + 1)
    return str(rows[-1]["row_id"])


async def asked(town: Branch, row_id: str, kind: str, *shares: tuple[str, str], **more: Any) -> Any:
    """An action about the row; answers its document. ``expect`` is a status, all else is sent."""
    where = "suspense" if kind in ("ALLOCATE", "RETURN", "WRITE_OFF") else "bank/rows"
    expect = more.pop("expect", None)
    body: dict[str, Any] = {"kind": kind, "reason": "seen the proof", **more}
    if shares:
        body["shares"] = [{"walletId": wallet, "amount": amount} for wallet, amount in shares]
    return await town.post("bank", f"/v1/{where}/{row_id}/actions", body, expect)


async def approved(town: Branch, action: Mapping[str, Any], status: str = "DONE") -> Any:
    """The action, once it stands so."""
    path = f"/v1/bank/actions/{action['actionId']}"
    await town.post("approver", f"{path}/approvals", {})

    async def stands() -> Any:
        found = await town.running.get(path)
        return found if found["status"] == status else None

    found = await eventually(stands, 30)
    schemas.BankActionSchema.model_validate(found)
    return found


async def exceptions_of(town: Branch, kind: str) -> list[Any]:
    """Those that are open."""
    found = (await town.running.get("/v1/bank/exceptions"))["items"]
    return [each for each in found if each["kind"] == kind]


async def exception(town: Branch, kind: str) -> Any:
    (only,) = await exceptions_of(town, kind)
    return only
