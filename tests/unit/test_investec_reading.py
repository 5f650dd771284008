"""What the bank is known to answer, and what becomes of it."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from bank.investec import reading
from bank.investec.access import Access
from bank.investec.fields import Unreadable, day, document
from bank.investec.records import Direction, Payment, RowStatus, bank_day

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
ACCOUNT: Final = str(POSTED["accountId"])
PENDING: dict[str, Any] = {
    **POSTED,
    **dict.fromkeys(("cardNumber", "postingDate", "valueDate", "actionDate", "transactionType")),
    "status": "PENDING",
    "runningBalance": None,
    "postedOrder": None,
    "uuid": None,
}


def statement(*rows: object) -> Any:
    return document(json.dumps({"data": {"transactions": rows}}).encode())


def statement_of(row: object) -> Any:
    return document(json.dumps({"data": row}).encode())


def test_a_posted_row() -> None:
    (row,) = reading.transactions(statement(POSTED), ACCOUNT).read
    assert (row.direction, row.status, row.is_settled) == (Direction.DEBIT, RowStatus.POSTED, True)
    assert (row.amount, row.running_balance) == (Decimal(535), Decimal("28857.76"))
    assert (row.posting_date, row.transaction_date) == (date(2020, 6, 11), date(2020, 6, 10))


def test_numbers_are_read_as_they_were_written() -> None:
    body = (
        b'{"data": {"transactions": [%s]}}'
        % json.dumps({**POSTED, "amount": "amount", "runningBalance": "balance"})
        .replace('"amount": "amount"', '"amount": 0.10')
        .replace('"balance"', "-9007199254740.93")
        .encode()
    )
    (row,) = reading.transactions(document(body), ACCOUNT).read
    assert str(row.amount) == "0.10"
    assert row.running_balance == Decimal("-9007199254740.93")


@pytest.mark.parametrize("missing", [{}, {"uuid": ""}, {"postedOrder": 0}, {"postedOrder": ""}])
def test_pending_rows_have_nulls(missing: dict[str, object]) -> None:
    (row,) = reading.transactions(statement({**PENDING, **missing}), ACCOUNT).read
    assert (row.status, row.is_settled, row.posted_order) == (RowStatus.PENDING, False, 0)
    assert (row.posting_date, row.running_balance, row.uuid) == (None, None, "")


def test_a_posted_row_without_its_number_is_not_settled() -> None:
    (row,) = reading.transactions(statement({**POSTED, "postedOrder": 0}), ACCOUNT).read
    assert not row.is_settled


def test_texts_are_such_as_any_database_keeps() -> None:
    given = {**POSTED, "description": "a\u00a0b\tc\0d\ud800é"}
    (row,) = reading.transactions(statement(given), ACCOUNT).read
    assert row.description == "a b c\ufffdd\ufffdé"


def test_rows_come_in_any_order() -> None:
    def numbered(order: int, posted: str) -> dict[str, Any]:
        return {**POSTED, "postedOrder": order, "postingDate": posted}

    rows = [numbered(3, "2020-06-12"), numbered(2, "2020-06-11"), numbered(1, "2020-06-11")]
    for given in (rows, rows[::-1]):
        found = reading.transactions(statement(*given, PENDING), ACCOUNT).read
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
        {"accountId": "3353431574710163189587446"},
        {"amount": 0.001},
        {"amount": "1_000"},
        {"amount": "1,000.00"},
        {"amount": "١"},
        {"postingDate": None},
        {"amount": 10**13},
        {"runningBalance": "1e-1000000"},
    ],
)
def test_a_row_that_cannot_be_read_costs_itself_alone(wrong: dict[str, object]) -> None:
    found = reading.transactions(statement({**POSTED, **wrong}, POSTED), ACCOUNT)
    assert len(found.read) == 1
    (unread,) = found.unread
    assert unread.problem
    assert "MONTHLY SERVICE CHARGE" in unread.text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-06-11", date(2020, 6, 11)),
        ("11/06/2020", date(2020, 6, 11)),
        ("2020-06-11T00:00:00", date(2020, 6, 11)),
        ("0001-01-01T00:00:00", None),
        ("01/01/1900", None),
        ("", None),
        (None, None),
    ],
)
def test_dates(text: str | None, expected: date | None) -> None:
    assert day(text) == expected


@pytest.mark.parametrize("name", ["transactions", "PendingTransaction"])
def test_both_names_of_the_list_of_pending_rows(name: str) -> None:
    short = {k: PENDING[k] for k in ("accountId", "type", "description", "transactionDate")}
    answer = {"data": {name: [{**short, "status": "PENDING", "amount": 5}]}}
    assert len(reading.pending_transactions(answer, ACCOUNT).read) == 1


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
    taken = reading.submitted(answer)
    assert (taken.payment_reference, taken.authorisation_required) == ("UBP0012345678", False)


@pytest.mark.parametrize(
    "answer",
    [
        *({}, [], "done", {"data": None}, {"data": {}}),
        {"data": {"TransferResponses": [], "ErrorMessage": "Insufficient funds"}},
        {"data": {"TransferResponses": None, "ErrorMessage": "A timeout was met"}},
        {"data": {"TransferResponses": [{}, {}]}},
        {"data": {"TransferResponses": [{"Status": "Insufficient funds"}]}},
        {
            "data": {
                "TransferResponses": [{"PaymentReferenceNumber": "UBP1"}],
                "ErrorMessage": "but",
            }
        },
    ],
)
def test_an_answer_that_says_nothing_of_a_payment(answer: object) -> None:
    with pytest.raises(Unreadable):
        reading.submitted(answer)


@pytest.mark.parametrize("expires", [1799, "1799"])
def test_tokens(expires: int | str) -> None:
    assert reading.token({"access_token": "t", "expires_in": expires}) == ("t", 1799)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a": NaN}', b'{"a": 1e99999999999999999999}', b"[" * 100_000],
)
def test_what_is_no_json(body: bytes) -> None:
    with pytest.raises(Unreadable):
        document(body)


@pytest.mark.parametrize(
    ("meta", "count"),
    [({"totalPages": 1}, 1), ({"totalPages": "3"}, 3), ({"totalPages": None}, 1), (None, 1)],
)
def test_how_many_pages_there_are(meta: object, count: int) -> None:
    assert reading.pages({"data": {}, "meta": meta}) == count


def test_a_balance_is_the_right_account_s() -> None:
    row = {"accountId": ACCOUNT, "currentBalance": -0.1, "availableBalance": "5", "currency": "ZAR"}
    read = reading.balance(statement_of(row), ACCOUNT)
    assert (read.current, read.available) == (Decimal("-0.1"), Decimal(5))
    with pytest.raises(Unreadable):
        reading.balance(statement_of(row), "another")


def test_one_beneficiary_that_cannot_be_read_costs_itself_alone() -> None:
    good = {"beneficiaryId": "MTA=", "lastPaymentDate": "10/03/2019", "fasterPaymentAllowed": True}
    rows: list[object] = [good, {**good, "lastPaymentDate": "spring"}, {}, None]
    (found,) = reading.beneficiaries({"data": rows})
    assert (found.last_paid, found.faster_payment) == (date(2019, 3, 10), True)
    assert reading.beneficiaries({"data": {"result": [good]}}) == [found]


def test_who_has_to_authorise() -> None:
    people = [{"authoriserId": "hnN=", "name": "Mr Auth 1"}]
    setup = reading.authorisation_setup(
        {
            "data": {
                "numberOfAuthorisationRequired": "2",
                "period": [{"id": "0", "description": "Current Day"}],
                "authorisersListA": people,
                "authorisersListB": None,
            }
        }
    )
    assert (setup.needed, setup.second) == (2, ())
    assert [(each.choice_id, each.name) for each in setup.first] == [("hnN=", "Mr Auth 1")]
    assert [each.choice_id for each in setup.periods] == ["0"]


def test_two_parts_of_a_statement_are_one() -> None:
    later = {**POSTED, "postedOrder": 13380}
    parts = [reading.transactions(statement(row), ACCOUNT) for row in (later, POSTED)]
    assert [row.posted_order for row in reading.joined(*parts).read] == [13379, 13380]


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Decimal(0)},
        {"amount": Decimal("-1")},
        {"amount": Decimal("0.001")},
        {"amount": Decimal("1e40")},
        {"amount": Decimal("NaN")},
        {"my_reference": " "},
        {"their_reference": "a\nb"},
        {"beneficiary_id": ""},
    ],
)
def test_what_no_bank_can_be_asked(wrong: dict[str, Any]) -> None:
    fine: dict[str, Any] = {
        "beneficiary_id": "MTA=",
        "amount": Decimal("10.50"),
        "my_reference": "P-1",
        "their_reference": "thanks",
    }
    Payment(**fine)
    with pytest.raises(ValueError, match="payment"):
        Payment(**{**fine, **wrong})


@pytest.mark.parametrize(
    ("moment", "expected"),
    [("2026-03-01T21:59:59Z", date(2026, 3, 1)), ("2026-03-01T22:00:00Z", date(2026, 3, 2))],
)
def test_the_bank_s_day_begins_two_hours_early(moment: str, expected: date) -> None:
    assert bank_day(datetime.fromisoformat(moment)) == expected


@pytest.mark.parametrize("url", ["http://127.0.0.1:9000", "http://[::1]:1", "https://a.example"])
def test_where_secrets_may_travel(url: str) -> None:
    access = Access(url, "client", "secret", "key")
    assert "secret" not in repr(access)


@pytest.mark.parametrize("url", ["http://a.example", "http://10.0.0.1", "ftp://localhost", "", "a"])
def test_where_they_may_not(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        Access(url, "client", "secret", "key")
