"""What the bank is known to answer, and what becomes of it."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from bank.investec import reading
from bank.investec.reading import Unreadable
from bank.investec.records import Direction, RowStatus

#: The official example.
POSTED: dict[str, Any] = {
    "accountId": "172878438321553632224",
    "type": "DEBIT",
    "transactionType": "FeesAndInterest",
    "status": "POSTED",
    "description": "MONTHLY SERVICE CHARGE",
    "cardNumber": "",
    "postedOrder": 13379,
    "postingDate": "2020-06-11",
    "valueDate": "2020-06-10",
    "actionDate": "2020-11-10",
    "transactionDate": "2020-06-10",
    "amount": 535,
    "runningBalance": 28857.76,
    "uuid": "32224202006110013379",
}
PENDING: dict[str, Any] = {
    **POSTED,
    **dict.fromkeys(("cardNumber", "postingDate", "valueDate", "actionDate", "transactionType")),
    "status": "PENDING",
    "runningBalance": None,
    "postedOrder": None,
    "uuid": None,
}


def statement(*rows: object) -> Any:
    return reading.document(json.dumps({"data": {"transactions": rows}}).encode())


def test_a_posted_row() -> None:
    (row,) = reading.transactions(statement(POSTED)).read
    assert (row.direction, row.status, row.is_settled) == (Direction.DEBIT, RowStatus.POSTED, True)
    assert (row.amount, row.running_balance) == (Decimal(535), Decimal("28857.76"))
    assert (row.posting_date, row.transaction_date) == (date(2020, 6, 11), date(2020, 6, 10))


def test_numbers_are_read_as_they_were_written() -> None:
    body = b'{"data": {"transactions": [%s]}}' % json.dumps(
        {**POSTED, "amount": "amount", "runningBalance": "balance"}
    ).replace('"amount": "amount"', '"amount": 0.10').replace(
        '"balance"', "-90071992547409.93"
    ).encode()
    (row,) = reading.transactions(reading.document(body)).read
    assert str(row.amount) == "0.10"
    assert row.running_balance == Decimal("-90071992547409.93")


@pytest.mark.parametrize("missing", [{}, {"uuid": ""}, {"postedOrder": 0}, {"postedOrder": ""}])
def test_pending_rows_have_nulls(missing: dict[str, object]) -> None:
    (row,) = reading.transactions(statement({**PENDING, **missing})).read
    assert (row.status, row.is_settled, row.posted_order) == (RowStatus.PENDING, False, 0)
    assert (row.posting_date, row.running_balance, row.uuid) == (None, None, "")


def test_a_posted_row_without_its_number_is_not_settled() -> None:
    (row,) = reading.transactions(statement({**POSTED, "postedOrder": 0})).read
    assert not row.is_settled


def test_rows_come_in_any_order() -> None:
    def numbered(order: int, posted: str) -> dict[str, Any]:
        return {**POSTED, "postedOrder": order, "postingDate": posted}

    rows = [numbered(3, "2020-06-12"), numbered(2, "2020-06-11"), numbered(1, "2020-06-11")]
    for given in (rows, rows[::-1]):
        found = reading.transactions(statement(*given, PENDING)).read
        assert [row.posted_order for row in found] == [1, 2, 3, 0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "OTHER"},
        {"type": None},
        {"status": "REVERSED"},
        {"amount": -5},
        {"amount": None},
        {"amount": True},
        {"amount": "NaN"},
        {"amount": "1e30"},
        {"amount": "five"},
        {"postedOrder": 1.5},
        {"postedOrder": -1},
        {"postingDate": "11 June 2020"},
        {"accountId": ""},
    ],
)
def test_a_row_that_cannot_be_read_costs_itself_alone(wrong: dict[str, object]) -> None:
    found = reading.transactions(statement({**POSTED, **wrong}, POSTED))
    assert len(found.read) == 1
    (unread,) = found.unread
    assert unread.problem
    assert "MONTHLY SERVICE CHARGE" in unread.text


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2020-06-11", date(2020, 6, 11)),
        ("11/06/2020", date(2020, 6, 11)),
        ("2020-06-11T00:00:00", date(2020, 6, 11)),
        ("0001-01-01T00:00:00", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(text: str | None, day: date | None) -> None:
    assert reading.day(text) == day


@pytest.mark.parametrize("name", ["transactions", "PendingTransaction"])
def test_both_names_of_the_list_of_pending_rows(name: str) -> None:
    short = {k: PENDING[k] for k in ("accountId", "type", "description", "transactionDate")}
    answer = {"data": {name: [{**short, "status": "PENDING", "amount": 5}]}}
    assert len(reading.pending_transactions(answer).read) == 1


@pytest.mark.parametrize("nested", [False, True])
def test_a_payment_that_was_taken_in(nested: bool) -> None:
    data: dict[str, Any] = {
        "TransferResponses": [
            {
                "PaymentReferenceNumber": "UBP0012345678",
                "PaymentDate": "06/04/2022",
                "Status": "- No authorisation necessary <BR>- Payment/Transfer effective date",
                "AuthorisationRequired": False,
            }
        ],
        "ErrorMessage": None,
    }
    answer = {"data": {"transferResponse": data} if nested else data}
    assert reading.refusal(answer) is None
    taken = reading.submitted(answer)
    assert (taken.payment_reference, taken.authorisation_required) == ("UBP0012345678", False)


def test_a_payment_that_was_answered_200_and_refused() -> None:
    answer = {"data": {"TransferResponses": [], "ErrorMessage": "Insufficient funds"}}
    assert reading.refusal(answer) == "Insufficient funds"


@pytest.mark.parametrize(
    "answer",
    [{}, {"data": None}, {"data": {}}, {"data": {"TransferResponses": [{}, {}]}}, [], "done"],
)
def test_an_answer_that_says_nothing_of_a_payment(answer: object) -> None:
    with pytest.raises(Unreadable):
        reading.submitted(answer)


@pytest.mark.parametrize("expires", [1799, "1799"])
def test_tokens(expires: int | str) -> None:
    assert reading.token({"access_token": "t", "expires_in": expires}) == ("t", 1799)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"a": NaN}', b"[" * 100_000])
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(Unreadable):
        reading.document(body)
