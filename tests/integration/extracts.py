"""Payments, and what an extract of Eclipse's says about them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.integration.comparisons import Comparisons

LONG_AGO = datetime.fromisoformat("2020-01-01T00:00:00+02:00")


async def three_payments(compared: Comparisons) -> dict[str, Any]:
    running = compared.running
    await running.wallet("alice-01", "100")
    await running.wallet("bob-0001")
    posted = {}
    for number, amount in enumerate(("10.00", "20.00", "30.00"), 1):
        key = f"order-{number:04}"
        posted[key] = await running.paid("alice-01", "bob-0001", amount, key)
    return posted


def line(key: str, amount: str, status: str = "SUCCESSFUL", **more: str) -> tuple[str, ...]:
    sides = (more.get("source", "alice-01"), more.get("target", "bob-0001"))
    return (key, *sides, amount, more.get("time", ""), status)


FUNDS = line("fund alice-01", "100.00", source="system-zar", target="alice-01")
ALL = (
    FUNDS,
    line("order-0001", "10.00"),
    line("order-0002", "20.0"),
    line("order-0003", "30"),
)
