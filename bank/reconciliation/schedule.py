"""What is compared without anybody asking: the bank's last day, once a day. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import NamedTuple

from bank.investec.records import SAST, bank_day
from bank.reconciliation.requests import Kind, Order


class Scheduled(NamedTuple):
    reconciliation_id: str
    """The same for everybody, so that it is made once."""
    order: Order


def due(now: datetime, daily_at: time) -> Scheduled | None:
    """The day before today, as the bank counts days, from ``daily_at`` on (the bank's clock)."""
    if now.astimezone(SAST).time() < daily_at:
        return None
    today = datetime.combine(bank_day(now), time(), SAST)
    yesterday = today - timedelta(days=1)
    return Scheduled(
        f"bank-{yesterday:%Y-%m-%d}", Order(Kind.BANK, period_from=yesterday, period_to=today)
    )
