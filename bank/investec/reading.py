"""Reading what the bank answers: lenient in form, strict in what decides about money.

Known from published specification, live clients and their bug reports: numbers as strings and the
other way round, two names for the same list, two spellings of dates, nulls wherever a row is
pending. What cannot be understood is an ``UnreadRow`` or ``Unreadable``, never a guess.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from typing import Any

from bank.investec.fields import (
    SHOWN,
    Unreadable,
    amount,
    day,
    flag,
    listed,
    mapping,
    one_of,
    optional,
    text,
    whole,
)
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


def token(answer: Any) -> tuple[str, int]:
    """The token and for how many seconds it is good (documented as a number and as a string)."""
    members = mapping(answer)
    return text(members, "access_token"), whole(members.get("expires_in"))


def pages(answer: Any) -> int:
    """How many the answer has; one in every example, and where it does not say."""
    meta = mapping(answer).get("meta")
    return max(1, whole(meta.get("totalPages"))) if isinstance(meta, dict) else 1


def accounts(answer: Any) -> list[Account]:
    return [
        Account(
            account_id=text(row, "accountId"),
            number=optional(row, "accountNumber") or "",
            name=optional(row, "accountName") or "",
            product=optional(row, "productName") or "",
            profile_id=optional(row, "profileId"),
        )
        for row in map(mapping, listed(_data(answer), "accounts"))
    ]


def balance(answer: Any, account_id: str) -> Balance:
    row = mapping(_data(answer))
    if text(row, "accountId") != account_id:
        raise Unreadable("it is another account's balance")
    return Balance(
        account_id=account_id,
        current=amount(row.get("currentBalance")),
        available=amount(row.get("availableBalance")),
        currency=text(row, "currency"),
    )


def transactions(answer: Any, account_id: str) -> Rows:
    """Posted and, where these were asked for, pending rows of this account; one of another account
    is none that can be read."""
    return _rows(listed(_data(answer), "transactions"), account_id)


def pending_transactions(answer: Any, account_id: str) -> Rows:
    """The specification names the list otherwise than the bank does."""
    data = mapping(_data(answer))
    name = "transactions" if "transactions" in data else "PendingTransaction"
    return _rows(listed(data, name), account_id, pending=True)


def joined(one: Rows, other: Rows) -> Rows:
    """In order again."""
    read = sorted((*one.read, *other.read), key=_order)
    return Rows(tuple(read), (*one.unread, *other.unread))


def beneficiaries(answer: Any) -> list[Beneficiary]:
    """Those that can be read: one that cannot must not keep payments from all others."""
    data = _data(answer)
    found: list[Beneficiary] = []
    for each in data if isinstance(data, list) else listed(data, "result"):
        with suppress(Unreadable):
            found.append(_beneficiary(mapping(each)))
    return found


def authorisation_setup(answer: Any) -> AuthorisationSetup:
    """Live answers have null for lists that are empty."""
    data = mapping(_data(answer))
    return AuthorisationSetup(
        needed=whole(data.get("numberOfAuthorisationRequired")),
        periods=_choices(data.get("period"), "id", "description"),
        first=_choices(data.get("authorisersListA"), "authoriserId", "name"),
        second=_choices(data.get("authorisersListB"), "authoriserId", "name"),
    )


def submitted(answer: Any) -> Submitted:
    """Of one payment. Raises ``Unreadable`` wherever it is not certain that it was taken in: an
    answer for none or for several, one with a complaint, one without the bank's reference."""
    data = _transfer(answer)
    found = data.get("TransferResponses") or []
    complaint = optional(data, "ErrorMessage")
    if not isinstance(found, list) or len(found) != 1 or complaint:
        raise Unreadable(f"one response was expected; the bank said {str(complaint)[:SHOWN]}")
    row = mapping(found[0])
    status = optional(row, "Status") or ""
    reference = optional(row, "PaymentReferenceNumber")
    if reference is None:
        raise Unreadable(f"there is no payment reference; the bank said {status[:SHOWN]}")
    return Submitted(reference, status, flag(row.get("AuthorisationRequired")))


def _rows(found: Sequence[Any], account_id: str, *, pending: bool = False) -> Rows:
    read: list[Row] = []
    unread: list[UnreadRow] = []
    for each in found:
        try:
            read.append(_row(mapping(each), account_id, pending=pending))
        except Unreadable as error:
            unread.append(UnreadRow(json.dumps(each, default=str)[:SHOWN], str(error)))
    read.sort(key=_order)
    return Rows(tuple(read), tuple(unread))


def _order(row: Row) -> tuple[bool, date, int]:
    return (not row.is_settled, row.posting_date or date.max, row.posted_order)


def _row(row: Mapping[str, Any], account_id: str, *, pending: bool) -> Row:
    if text(row, "accountId") != account_id:
        raise Unreadable("it is a row of another account")
    moved = amount(row.get("amount"))
    if moved < 0:
        raise Unreadable("the amount is negative: the direction is to carry the sign")
    balance_after = row.get("runningBalance")
    read = Row(
        account_id=account_id,
        direction=one_of(Direction, row.get("type")),
        status=RowStatus.PENDING if pending else one_of(RowStatus, row.get("status")),
        amount=moved,
        description=optional(row, "description") or "",
        transaction_type=optional(row, "transactionType"),
        posted_order=whole(row.get("postedOrder")),
        posting_date=day(row.get("postingDate")),
        value_date=day(row.get("valueDate")),
        transaction_date=day(row.get("transactionDate")),
        running_balance=None if balance_after in (None, "") else amount(balance_after),
        uuid=optional(row, "uuid") or "",
    )
    if read.is_settled and read.posting_date is None:
        raise Unreadable("it has a number and no posting date")
    return read


def _beneficiary(row: Mapping[str, Any]) -> Beneficiary:
    return Beneficiary(
        beneficiary_id=text(row, "beneficiaryId"),
        name=optional(row, "beneficiaryName") or optional(row, "name") or "",
        account_number=optional(row, "accountNumber") or "",
        branch_code=optional(row, "code") or "",
        bank=optional(row, "bank") or "",
        last_paid=day(row.get("lastPaymentDate")),
        faster_payment=flag(row.get("fasterPaymentAllowed")),
    )


def _choices(found: object, choice_id: str, name: str) -> tuple[Choice, ...]:
    rows = map(mapping, found if isinstance(found, list) else [])
    return tuple(Choice(text(row, choice_id), optional(row, name) or "") for row in rows)


def _data(answer: Any) -> Any:
    return mapping(answer).get("data")


def _transfer(answer: Any) -> Mapping[str, Any]:
    """The older version has it one level deeper."""
    data = mapping(_data(answer))
    return mapping(data.get("transferResponse") or data)
