"""What a row of the bank and a movement of its control wallet come to."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from bank.reconciliation.bank_rows import (
    Finding,
    Pair,
    days_of,
    findings,
    to_do,
    why_in_transit,
)
from bank.reconciliation.requests import Kind, Order

ALICE, BOB = uuid4(), uuid4()
NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)


def pair(**more: Any) -> Pair:
    known: dict[str, Any] = {
        "row_id": UUID(int=2),
        "posting_date": date(2026, 3, 24),
        "posted_order": 7,
        "description": "eft",
        "held": False,
        "vanished": None,
        "decided": NOON,
        "wallet_id": ALICE,
        "problem": None,
        "overdue": True,
        "row_minor": 100,
        "transfer_id": UUID(int=3),
        "key": "bank-row:2",
        "created": NOON,
        "other_wallet_id": ALICE,
        "booking_minor": 100,
        "moved_minor": 100,
        "posted_minor": 100,
        "booked_minor": 100,
        **more,
    }
    return Pair(**known)


UNBOOKED = {
    "created": None,
    "booking_minor": None,
    "moved_minor": 0,
    "booked_minor": 0,
    "other_wallet_id": None,
    "transfer_id": None,
}


@pytest.mark.parametrize(
    ("change", "found", "in_transit", "why"),
    [
        ({}, [], 0, ""),
        ({"booked_minor": 0}, [], -100, "booked later"),
        ({"posted_minor": 0}, [], 100, "before the day"),
        ({"posted_minor": 0, "booked_minor": 0}, [], 0, ""),
        (UNBOOKED, ["MISSING_HERE"], -100, "not booked yet"),
        ({**UNBOOKED, "overdue": False}, [], -100, "not booked yet"),
        ({**UNBOOKED, "overdue": False, "held": True}, ["MISSING_HERE"], -100, "held"),
        ({**UNBOOKED, "decided": None, "wallet_id": None}, ["MISSING_HERE"], -100, "whose"),
        ({**UNBOOKED, "problem": "wallet-closed"}, ["MISSING_HERE"], -100, "wallet-closed"),
        ({**UNBOOKED, "posted_minor": 0}, [], 0, ""),
        ({"other_wallet_id": BOB}, ["WALLET"], 0, ""),
        ({"moved_minor": 90, "booked_minor": 90}, ["AMOUNT"], -10, "another amount"),
        ({"moved_minor": 0}, ["AMOUNT"], 0, ""),
        ({"moved_minor": 0, "booked_minor": 0}, ["AMOUNT"], -100, "taken back"),
        (
            {**UNBOOKED, "overdue": False, "moved_minor": -100, "booked_minor": -100},
            ["MISSING_HERE"],
            -200,
            "not booked yet",
        ),
        ({"vanished": NOON, "posted_minor": 0}, ["MISSING_THERE"], 100, "not show it"),
        (
            {"vanished": NOON, "posted_minor": 0, "moved_minor": 0, "booked_minor": 100},
            [],
            100,
            "not show it",
        ),
        ({"vanished": NOON, "posted_minor": 0, **UNBOOKED}, [], 0, ""),
        ({"row_id": None, "posted_minor": 0, "row_minor": 0}, ["MISSING_THERE"], 100, ""),
    ],
)
def test_a_row_and_what_moved_for_it(
    change: dict[str, Any], found: list[str], in_transit: int, why: str
) -> None:
    case = pair(**change)
    assert findings(case) == [Finding(word) for word in found]
    assert case.in_transit_minor == in_transit
    if why:
        assert why in why_in_transit(case)


@pytest.mark.parametrize(
    ("start", "stop", "first", "after"),
    [
        ("2026-03-24T00:00:00+02:00", "2026-03-25T00:00:00+02:00", "2026-03-24", "2026-03-25"),
        ("2026-03-23T22:00:00Z", "2026-03-24T22:00:00Z", "2026-03-24", "2026-03-25"),
        ("2026-03-24T00:00:00Z", "2026-03-25T00:00:00Z", "2026-03-25", "2026-03-26"),
        ("2026-03-24T00:00:00.000001+02:00", "2026-03-24T00:00:01+02:00", *["2026-03-25"] * 2),
    ],
)
def test_a_period_in_the_banks_days(start: str, stop: str, first: str, after: str) -> None:
    order = Order(Kind.BANK, datetime.fromisoformat(start), datetime.fromisoformat(stop))
    assert days_of(order) == (date.fromisoformat(first), date.fromisoformat(after))


def test_every_difference_says_what_to_do() -> None:
    said = {to_do(finding, pair()) for finding in Finding}
    said.add(to_do(Finding.MISSING_THERE, pair(row_id=None)))
    assert len(said) == len(Finding) + 1
