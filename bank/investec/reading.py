"""Reading what the bank answers: lenient in form, strict in what decides about money.

Known from published specification, live clients and their bug reports: numbers as strings and the
other way round, two names for the same list, two spellings of dates, nulls wherever a row is
pending. What cannot be understood is an ``UnreadRow`` or ``Unreadable``, never a guess.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from bank.investec.records import (
    Account,
    AuthorisationSetup,
    Balance,
    Beneficiary,
    Choice,
    Direction,
    Row,
    Rows,
    RowStatus,
    Submitted,
    UnreadRow,
)

Read = TypeVar("Read")

_DATES: Final = ("%Y-%m-%d", "%d/%m/%Y", "%Y%m%d")
#: What systems write that have no null for dates.
_NO_DAYS: Final = frozenset({date(1, 1, 1), date(1900, 1, 1)})
_MOST_DIGITS: Final = 13
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
    return _text(members, "access_token"), _whole(members.get("expires_in"))


def pages(answer: Any) -> int:
    """How many the answer has; one in every example, and where it does not say."""
    meta = _mapping(answer).get("meta")
    return max(1, _whole(meta.get("totalPages"))) if isinstance(meta, dict) else 1


def accounts(answer: Any) -> list[Account]:
    return [
        Account(
            account_id=_text(row, "accountId"),
            number=_optional(row, "accountNumber") or "",
            name=_optional(row, "accountName") or "",
            product=_optional(row, "productName") or "",
            profile_id=_optional(row, "profileId"),
        )
        for row in map(_mapping, _list(_data(answer), "accounts"))
    ]


def balance(answer: Any, account_id: str) -> Balance:
    row = _mapping(_data(answer))
    if _text(row, "accountId") != account_id:
        raise Unreadable("it is another account's balance")
    return Balance(
        account_id=account_id,
        current=amount(row.get("currentBalance")),
        available=amount(row.get("availableBalance")),
        currency=_text(row, "currency"),
    )


def transactions(answer: Any, account_id: str) -> Rows:
    """Posted and, where these were asked for, pending rows of this account; one of another account
    is none that can be read."""
    return _rows(_list(_data(answer), "transactions"), account_id)


def pending_transactions(answer: Any, account_id: str) -> Rows:
    """The specification names the list otherwise than the bank does."""
    data = _mapping(_data(answer))
    name = "transactions" if "transactions" in data else "PendingTransaction"
    return _rows(_list(data, name), account_id, pending=True)


def joined(one: Rows, other: Rows) -> Rows:
    """In order again."""
    read = sorted((*one.read, *other.read), key=_order)
    return Rows(tuple(read), (*one.unread, *other.unread))


def beneficiaries(answer: Any) -> list[Beneficiary]:
    """Those that can be read: one that cannot must not keep payments from all others."""
    data = _data(answer)
    found: list[Beneficiary] = []
    for each in data if isinstance(data, list) else _list(data, "result"):
        with suppress(Unreadable):
            found.append(_beneficiary(_mapping(each)))
    return found


def authorisation_setup(answer: Any) -> AuthorisationSetup:
    """Live answers have null for lists that are empty."""
    data = _mapping(_data(answer))
    return AuthorisationSetup(
        needed=_whole(data.get("numberOfAuthorisationRequired")),
        periods=_choices(data.get("period"), "id", "description"),
        first=_choices(data.get("authorisersListA"), "authoriserId", "name"),
        second=_choices(data.get("authorisersListB"), "authoriserId", "name"),
    )


def submitted(answer: Any) -> Submitted:
    """Of one payment. Raises ``Unreadable`` wherever it is not certain that it was taken in: an
    answer for none or for several, one with a complaint, one without the bank's reference."""
    data = _transfer(answer)
    found = data.get("TransferResponses") or []
    complaint = _optional(data, "ErrorMessage")
    if not isinstance(found, list) or len(found) != 1 or complaint:
        raise Unreadable(f"one response was expected; the bank said {str(complaint)[:_SHOWN]}")
    row = _mapping(found[0])
    status = _optional(row, "Status") or ""
    reference = _optional(row, "PaymentReferenceNumber")
    if reference is None:
        raise Unreadable(f"there is no payment reference; the bank said {status[:_SHOWN]}")
    return Submitted(reference, status, _flag(row.get("AuthorisationRequired")))


def refusal(answer: Any) -> str | None:
    """What the bank said where it answered 200 and took nothing in; None where it may have taken
    something."""
    data = _transfer(answer)
    if data.get("TransferResponses"):
        return None
    words = _optional(data, "ErrorMessage")
    return words[:_SHOWN] if words else None


def amount(value: object) -> Decimal:
    """A number, or one in a string; balances may be less than zero. Raises ``Unreadable``, also for
    parts of a cent."""
    if isinstance(value, bool) or not isinstance(value, int | str | Decimal):
        raise Unreadable(f"{value!r} is no amount")
    try:
        read = Decimal(value)
    except InvalidOperation:
        raise Unreadable(f"{value!r:.100} is no amount") from None
    if not read.is_finite() or read.adjusted() >= _MOST_DIGITS or read != round(read, 2):
        raise Unreadable(f"{value!r:.100} is no amount")
    return read


def day(value: object) -> date | None:
    """Without a time, whatever it is called; null, empty and the first days of calendars are none.
    Raises ``Unreadable``."""
    if value is None or value == "":
        return None
    text = str(value)[:10]
    for pattern in _DATES:
        try:
            read = datetime.strptime(text, pattern).date()
        except ValueError:
            continue
        return None if read in _NO_DAYS else read
    raise Unreadable(f"{value!r:.100} is no date")


def _rows(found: Sequence[Any], account_id: str, *, pending: bool = False) -> Rows:
    read: list[Row] = []
    unread: list[UnreadRow] = []
    for each in found:
        try:
            read.append(_row(_mapping(each), account_id, pending=pending))
        except Unreadable as error:
            unread.append(UnreadRow(json.dumps(each, default=str)[:_SHOWN], str(error)))
    read.sort(key=_order)
    return Rows(tuple(read), tuple(unread))


def _order(row: Row) -> tuple[bool, date, int]:
    return (not row.is_settled, row.posting_date or date.max, row.posted_order)


def _row(row: Mapping[str, Any], account_id: str, *, pending: bool) -> Row:
    if _text(row, "accountId") != account_id:
        raise Unreadable("it is a row of another account")
    moved = amount(row.get("amount"))
    if moved < 0:
        raise Unreadable("the amount is negative: the direction is to carry the sign")
    balance_after = row.get("runningBalance")
    return Row(
        account_id=account_id,
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
        faster_payment=_flag(row.get("fasterPaymentAllowed")),
    )


def _whole(value: object) -> int:
    if value is None or value == "":
        return 0
    read = amount(value)
    if read != int(read) or read < 0:
        raise Unreadable(f"{value!r} is no count")
    return int(read)


def _flag(value: object) -> bool:
    return value is True or (isinstance(value, str) and value.lower() == "true")


def _choices(found: object, choice_id: str, name: str) -> tuple[Choice, ...]:
    rows = map(_mapping, found if isinstance(found, list) else [])
    return tuple(Choice(_text(row, choice_id), _optional(row, name) or "") for row in rows)


def _one_of(words: Callable[[Any], Read], value: object) -> Read:
    try:
        return words(value.strip().upper() if isinstance(value, str) else value)
    except ValueError as error:
        raise Unreadable(str(error)) from None


def _data(answer: Any) -> Any:
    return _mapping(answer).get("data")


def _transfer(answer: Any) -> Mapping[str, Any]:
    """The older version has it one level deeper."""
    data = _mapping(_data(answer))
    return _mapping(data.get("transferResponse") or data)


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
