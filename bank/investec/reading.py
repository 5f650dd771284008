"""Reading what the bank answers: lenient in form, strict in what decides about money.

Known from published specification, live clients and their bug reports: numbers as strings and the
other way round, two names for the same list, two spellings of dates, nulls wherever a row is
pending. What cannot be understood is an ``UnreadRow`` or ``Unreadable``, never a guess.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from bank.investec.records import (
    Account,
    Balance,
    Beneficiary,
    Direction,
    Row,
    Rows,
    RowStatus,
    Submitted,
    UnreadRow,
)

Read = TypeVar("Read")

_DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%Y%m%d")
_MOST_DIGITS: Final = 15
_SHOWN: Final = 500


class Unreadable(ValueError):
    """The answer is not what was asked for."""


def document(body: bytes) -> Any:
    """JSON with every number exactly as it was written. Raises ``Unreadable``."""
    try:
        return json.loads(body, parse_float=Decimal, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"not JSON: {error}") from None


def token(answer: Any) -> tuple[str, int]:
    """The token and for how many seconds it is good (documented as a number and as a string)."""
    members = _mapping(answer)
    try:
        return _text(members, "access_token"), int(members.get("expires_in", 0))
    except (TypeError, ValueError):
        raise Unreadable("expires_in is no number") from None


def accounts(answer: Any) -> list[Account]:
    return [
        Account(
            account_id=_text(row, "accountId"),
            number=_text(row, "accountNumber"),
            name=_optional(row, "accountName") or "",
            product=_optional(row, "productName") or "",
            profile_id=_optional(row, "profileId"),
        )
        for row in _list(_data(answer), "accounts")
    ]


def balance(answer: Any) -> Balance:
    row = _mapping(_data(answer))
    return Balance(
        account_id=_text(row, "accountId"),
        current=amount(row.get("currentBalance")),
        available=amount(row.get("availableBalance")),
        currency=_text(row, "currency"),
    )


def transactions(answer: Any) -> Rows:
    """Posted and, where these were asked for, pending rows."""
    return _rows(_list(_data(answer), "transactions"))


def pending_transactions(answer: Any) -> Rows:
    """The specification names the list otherwise than the bank does."""
    data = _mapping(_data(answer))
    name = "transactions" if "transactions" in data else "PendingTransaction"
    return _rows(_list(data, name), pending=True)


def beneficiaries(answer: Any) -> list[Beneficiary]:
    data = _data(answer)
    rows = data if isinstance(data, list) else _list(data, "result")
    return [_beneficiary(_mapping(row)) for row in rows]


def submitted(answer: Any) -> Submitted:
    """Of one payment. Raises ``Unreadable`` also where the bank answered for none or several."""
    data = _mapping(_data(answer))
    data = data.get("transferResponse") or data
    found = data.get("TransferResponses") or []
    if not isinstance(found, list) or len(found) != 1:
        said = data.get("ErrorMessage") or "nothing"
        raise Unreadable(f"one response was expected; the bank said {str(said)[:_SHOWN]}")
    row = _mapping(found[0])
    return Submitted(
        payment_reference=_optional(row, "PaymentReferenceNumber"),
        status=_optional(row, "Status") or "",
        authorisation_required=row.get("AuthorisationRequired") is True,
    )


def refusal(answer: Any) -> str | None:
    """What the bank said where it answered 200 and took nothing in; None where it took it."""
    data = answer.get("data") if isinstance(answer, dict) else None
    data = (data.get("transferResponse") or data) if isinstance(data, dict) else None
    if not isinstance(data, dict) or data.get("TransferResponses"):
        return None
    said = data.get("ErrorMessage")
    return str(said)[:_SHOWN] if said else None


def amount(value: object) -> Decimal:
    """A number, or one in a string; balances may be less than zero. Raises ``Unreadable``."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unreadable(f"{value!r} is no amount")
    try:
        read = Decimal(value)
    except InvalidOperation:
        raise Unreadable(f"{value!r:.100} is no amount") from None
    if not read.is_finite() or read.adjusted() >= _MOST_DIGITS:
        raise Unreadable(f"{value!r:.100} is no amount")
    return read


def day(value: object) -> date | None:
    """Without a time, whatever it is called; null, empty and the year 1 are none."""
    if value is None or value == "":
        return None
    text = str(value)[:10]
    for pattern in _DATES:
        try:
            read = datetime.strptime(text, pattern).date()  # noqa: DTZ007  a day has no zone
        except ValueError:
            continue
        return None if read.year == 1 else read
    raise Unreadable(f"{value!r:.100} is no date")


def _rows(found: Sequence[Any], *, pending: bool = False) -> Rows:
    read: list[Row] = []
    unread: list[UnreadRow] = []
    for each in found:
        try:
            read.append(_row(_mapping(each), pending=pending))
        except Unreadable as error:
            unread.append(UnreadRow(json.dumps(each, default=str)[:_SHOWN], str(error)))
    read.sort(key=_order)
    return Rows(tuple(read), tuple(unread))


def _order(row: Row) -> tuple[bool, date, int]:
    return (not row.is_settled, row.posting_date or date.max, row.posted_order)


def _row(row: Mapping[str, Any], *, pending: bool) -> Row:
    moved = amount(row.get("amount"))
    if moved < 0:
        raise Unreadable("the amount is negative: the direction is to carry the sign")
    balance_after = row.get("runningBalance")
    return Row(
        account_id=_text(row, "accountId"),
        direction=_one_of(Direction, row.get("type")),
        status=RowStatus.PENDING if pending else _one_of(RowStatus, row.get("status")),
        amount=moved,
        description=_optional(row, "description") or "",
        transaction_type=_optional(row, "transactionType"),
        posted_order=_whole(row.get("postedOrder")),
        posting_date=day(row.get("postingDate")),
        value_date=day(row.get("valueDate")),
        transaction_date=day(row.get("transactionDate")),
        running_balance=None if balance_after in (None, "") else amount(balance_after),
        uuid=_optional(row, "uuid") or "",
    )


def _beneficiary(row: Mapping[str, Any]) -> Beneficiary:
    return Beneficiary(
        beneficiary_id=_text(row, "beneficiaryId"),
        name=_optional(row, "beneficiaryName") or _optional(row, "name") or "",
        account_number=_optional(row, "accountNumber") or "",
        branch_code=_optional(row, "code") or "",
        bank=_optional(row, "bank") or "",
        last_paid=day(row.get("lastPaymentDate")),
        faster_payment=row.get("fasterPaymentAllowed") is True,
    )


def _whole(value: object) -> int:
    if value is None or value == "":
        return 0
    read = amount(value)
    if read != int(read) or read < 0:
        raise Unreadable(f"{value!r} is no posted order")
    return int(read)


def _one_of(words: Callable[[Any], Read], value: object) -> Read:
    try:
        return words(value)
    except ValueError as error:
        raise Unreadable(str(error)) from None


def _data(answer: Any) -> Any:
    return _mapping(answer).get("data")


def _list(data: Any, name: str) -> list[Any]:
    found = _mapping(data).get(name)
    if not isinstance(found, list):
        raise Unreadable(f"there is no list {name}")
    return found


def _mapping(value: Any) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable(f"{str(value)[:100]!r} is no object")
    return value


def _text(row: Mapping[str, Any], name: str) -> str:
    value = row.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool) or value == "":
        raise Unreadable(f"{name} is missing")
    return str(value)


def _optional(row: Mapping[str, Any], name: str) -> str | None:
    value = row.get(name)
    return None if value is None or value == "" else str(value)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number")
