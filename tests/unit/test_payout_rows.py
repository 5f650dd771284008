"""Which rows of a statement are a payout's."""

from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime
from uuid import UUID

import pytest

from bank.payouts.approvals import Person
from bank.payouts.orders import Order, Payee, Payout
from bank.payouts.paid_as_one import objection
from bank.payouts.recognising import (
    Belongs,
    Doubtful,
    Part,
    Seen,
    TooEarly,
    judge_credit,
    judge_debit,
    judge_unnamed,
)
from bank.payouts.states import State

_THEN = datetime(2026, 3, 1, tzinfo=UTC)
_ROW = UUID(int=7)


def payout(number: int = 1, *, minor: int = 10_050, state: State = State.UNKNOWN) -> Payout:
    settled = state in (State.SETTLED, State.RETURNED)
    return Payout(
        payout_id=UUID(int=number),
        order=Order(
            external_unique_id=f"payout-{number}",
            account_id="172878438321553632224",
            wallet_id=UUID(int=100 + number),
            currency="ZAR",
            amount_minor=minor,
            payee=Payee("Thandi", "62000000001", "580105"),
            their_reference="thank you",
            description=None,
        ),
        my_reference=f"PO{number:012}",
        approvals_needed=1,
        approvals=1,
        maker=Person("k1", "anna"),
        state=state,
        reason=None,
        requested=_THEN,
        not_after=None,
        held=_THEN,
        submitted=_THEN,
        paid_beneficiary_id=None,
        payment_reference=None,
        authorised_until=None,
        export_id=None,
        giving_up=None,
        named_row=None,
        named_by=None,
        debit_row=_ROW if settled else None,
        transfer_id=_ROW if settled else None,
        return_row=_ROW if state is State.RETURNED else None,
        return_transfer_id=_ROW if state is State.RETURNED else None,
        problem=None,
        changed=_THEN,
    )


def seen(*, credit: bool = False, minor: int = 10_050) -> Seen:
    return Seen("172878438321553632224", credit, minor, "whatever", date(2026, 3, 2))


@pytest.mark.parametrize("state", sorted(set(State) - {State.SETTLED, State.RETURNED}))
def test_a_payout_that_the_bank_has_made_is_that_whatever_was_believed(state: State) -> None:
    found = judge_debit(seen(), [payout(state=state)])
    assert found == Belongs(payout(state=state), Part.MADE)


def test_a_debit_that_nearly_fits_is_for_people() -> None:
    for named in (
        [payout(minor=10_049)],
        [payout(1), payout(2)],
        [payout(state=State.SETTLED)],
        [dataclasses.replace(payout(), debit_row=_ROW)],
    ):
        assert isinstance(judge_debit(seen(), named), Doubtful)
    for alike in ([payout()], [payout(1), payout(2)]):
        assert isinstance(judge_unnamed(alike, []), Doubtful)


def test_a_debit_of_what_was_given_up_or_went_in_a_file_says_so() -> None:
    given_up = judge_unnamed([payout(state=State.REJECTED)], [])
    assert isinstance(given_up, Doubtful)
    assert "given up: PO000000000001" in given_up.why
    whole = judge_unnamed([], [_ROW])
    assert isinstance(whole, Doubtful)
    assert f"the total of file {_ROW}" in whole.why


def test_a_payout_whose_row_vanished_and_came_again_is_made_again() -> None:
    made = payout(state=State.SETTLED)
    assert judge_debit(seen(), [made], {made.payout_id}) == Belongs(made, Part.MADE_AGAIN)


def test_a_debit_that_names_nothing_and_is_of_no_payouts_amount_is_the_banks_own() -> None:
    assert judge_unnamed([], []) is None


def test_a_credit_undoes_a_payout_that_was_made() -> None:
    made = payout(state=State.SETTLED)
    assert judge_credit(seen(credit=True), [made]) == Belongs(made, Part.CAME_BACK)
    booking = dataclasses.replace(payout(), debit_row=_ROW)
    assert judge_credit(seen(credit=True), [booking]) == TooEarly()
    assert judge_credit(seen(credit=True), []) is None


def test_a_credit_that_undoes_nothing_is_for_people() -> None:
    for named in (
        [payout(state=State.SETTLED, minor=1)],
        [payout(state=State.RETURNED)],
        [payout(state=State.UNKNOWN)],
        [payout(1, state=State.SETTLED), payout(2, state=State.SETTLED)],
    ):
        assert isinstance(judge_credit(seen(credit=True), named), Doubtful)


def test_the_reservation_is_the_same_whoever_asks_for_it() -> None:
    asked = payout().reservation
    assert asked == payout(state=State.REQUESTED).reservation
    assert asked.session_id == asked.external_unique_id == f"payout:{UUID(int=1)}"
    assert asked.expires.year > 9000


@pytest.mark.parametrize(
    ("row", "payouts", "why"),
    [
        ({}, [payout(1, minor=10_00), payout(2, minor=5_00, state=State.AWAITING_BANK)], None),
        ({}, [payout(1, minor=15_00)], None),
        ({}, [], "no such file"),
        ({}, [payout(1, minor=10_00)], "comes to 10.00, the row to 15.00"),
        ({"account_id": "another"}, [payout(1, minor=15_00)], "another bank account"),
        ({}, [payout(1, minor=15_00, state=State.SUBMITTING)], "is SUBMITTING"),
        ({}, [dataclasses.replace(payout(1, minor=15_00), giving_up="anna")], "something else"),
        ({}, [dataclasses.replace(payout(1, minor=15_00), named_row=_ROW)], "something else"),
        ({"credit": True}, [payout(1, minor=15_00)], "no debit that waits"),
        ({"held": True}, [payout(1, minor=15_00)], "no debit that waits"),
        ({"decided": _THEN}, [payout(1, minor=15_00)], "no debit that waits"),
        ({"vanished": _THEN}, [payout(1, minor=15_00)], "no debit that waits"),
    ],
)
def test_which_row_pays_a_whole_file(
    row: dict[str, object], payouts: list[Payout], why: str | None
) -> None:
    debit = {
        "account_id": "172878438321553632224",
        "currency": "ZAR",
        "credit": False,
        "amount_minor": 15_00,
        "held": False,
        "decided": None,
        "vanished": None,
        **row,
    }
    found = objection(debit, payouts)
    assert found is None if why is None else found is not None and why in found
