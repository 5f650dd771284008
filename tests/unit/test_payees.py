"""Whom the bank may pay for an order: the account that was approved, and no other."""

from __future__ import annotations

import dataclasses
from datetime import date

import pytest

from bank.investec.records import Beneficiary
from bank.payouts.orders import Payee
from bank.payouts.payees import Missing, find

THANDI = Beneficiary(
    beneficiary_id="b-1",
    name="Thandi",
    account_number="062 000-000-001",
    branch_code="580-105",
    bank="Investec",
    last_paid=date(2026, 1, 2),
    faster_payment=False,
)
PAYEE = Payee("Thandi", "62000000001", "580105")


@pytest.mark.parametrize("beneficiary_id", [None, "b-1"])
def test_the_account_that_was_approved(beneficiary_id: str | None) -> None:
    payee = dataclasses.replace(PAYEE, beneficiary_id=beneficiary_id)
    assert find(payee, [THANDI]) == THANDI


@pytest.mark.parametrize("beneficiary_id", [None, "b-1"])
@pytest.mark.parametrize(
    ("entry", "payee"),
    [
        ({"account_number": "62000000002"}, {}),
        ({"branch_code": "250655"}, {}),
        ({"branch_code": ""}, {}),
        ({"account_number": "", "branch_code": ""}, {}),
        ({"account_number": ""}, {"account_number": "0000"}),
        ({"account_number": "0"}, {"account_number": "0000"}),
        ({"branch_code": ""}, {"branch_code": "000000"}),
        ({"account_number": "none"}, {"account_number": "-"}),
        ({"account_number": "62000000001 A"}, {}),
    ],
)
def test_no_other_account(
    beneficiary_id: str | None, entry: dict[str, str], payee: dict[str, str]
) -> None:
    asked = dataclasses.replace(PAYEE, beneficiary_id=beneficiary_id, **payee)
    found = find(asked, [dataclasses.replace(THANDI, **entry)])  # type: ignore[arg-type]
    assert isinstance(found, Missing)


def test_somebody_who_was_never_paid() -> None:
    found = find(PAYEE, [dataclasses.replace(THANDI, last_paid=None)])
    assert isinstance(found, Missing)
    assert "never" in found.why
