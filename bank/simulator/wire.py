"""The bank's documents: names, envelope and number formats as it answers them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import date
from typing import Any, Final

from bank.simulator.assumptions import Assumptions

Json = dict[str, Any]

_PRIVATE: Final = "Private Bank Account"
_PERIODS: Final = (*range(1, 11), 0)
_PEOPLE: Final = (("hnNhB6qb5H6SvJC1ZPK2qQ==", "Mr Auth 1"), ("TAd6rGuhOeNRiujN0nlKxQ==", "All"))


def envelope(data: object, url: str | None, pages: int = 1) -> Json:
    return {"data": data, "links": {"self": url}, "meta": {"totalPages": pages}}


def number(cents: int) -> int | float:
    """Amounts are JSON numbers, whole ones without decimals. Exact up to fifteen digits, which is
    more than the specification has room for."""
    return cents // 100 if cents % 100 == 0 else cents / 100


def account(row: sqlite3.Row) -> Json:
    return {
        "accountId": row["account_id"],
        "accountNumber": row["number"],
        "accountName": row["name"],
        "referenceName": row["name"],
        "productName": row["product"],
        "kycCompliant": True,
        "profileId": row["profile_id"],
        "profileName": row["name"],
    }


def balance(account_id: str, current: int, available: int) -> Json:
    return {
        "accountId": account_id,
        "currentBalance": number(current),
        "availableBalance": number(available),
        "budgetBalance": 0,
        "straightBalance": 0,
        "cashBalance": 0,
        "currency": "ZAR",
    }


def rows(found: Sequence[sqlite3.Row], assumed: Assumptions) -> list[Json]:
    """In the order that the bank is assumed to have today."""
    shown = [row(each, assumed) for each in found]
    if assumed.order == "descending":
        shown.reverse()
    elif assumed.order == "shuffled":
        random.shuffle(shown)
    return shown


def row(found: sqlite3.Row, assumed: Assumptions) -> Json:
    """A posted row, or with nulls where a pending one has nothing yet."""
    posted = found["posting_date"] is not None
    shown: Json = {
        "accountId": found["account_id"],
        "type": "CREDIT" if found["credit"] else "DEBIT",
        "transactionType": found["transaction_type"] if posted else None,
        "status": "POSTED" if posted else "PENDING",
        "description": found["description"],
        "cardNumber": found["card"] if posted else None,
        "postedOrder": found["posted_order"],
        "postingDate": found["posting_date"],
        "valueDate": found["value_date"],
        "actionDate": found["posting_date"],
        "transactionDate": found["transaction_date"],
        "amount": number(found["amount"]),
        "runningBalance": number(found["running"]) if posted else None,
        "uuid": "",
    }
    if posted and (found["product"] == _PRIVATE or assumed.uuid_elsewhere == "made"):
        shown["uuid"] = uuid(found["account_id"], found["posting_date"], found["posted_order"])
    if posted:
        return shown
    for name, how in (("postedOrder", assumed.pending_order), ("uuid", assumed.pending_uuid)):
        if how == "missing":
            del shown[name]
        elif how == "null":
            shown[name] = None
    return shown


def pending_row(found: sqlite3.Row) -> Json:
    """Of the list of pending rows alone, which has fewer members."""
    return {
        "accountId": found["account_id"],
        "type": "CREDIT" if found["credit"] else "DEBIT",
        "status": "PENDING",
        "description": found["description"],
        "transactionDate": found["transaction_date"],
        "amount": number(found["amount"]),
    }


def uuid(account_id: str, posting_date: str, posted_order: int) -> str:
    """The end of the account's id, the posting date and the order, as the bank has published."""
    return f"{account_id[-5:]}{posting_date.replace('-', '')}{posted_order:07}"


def beneficiary(found: sqlite3.Row, profile_id: str) -> Json:
    paid, amount = found["last_paid"], found["last_amount"]
    return {
        "beneficiaryId": found["beneficiary_id"],
        "accountNumber": found["account_number"],
        "code": found["code"],
        "bank": found["bank"],
        "beneficiaryName": found["name"],
        "lastPaymentAmount": "" if amount is None else f"{amount // 100}.{amount % 100:02}",
        "lastPaymentDate": "" if paid is None else slashed(date.fromisoformat(paid)),
        "cellNo": None,
        "emailAddress": None,
        "name": found["name"],
        "referenceAccountNumber": found["name"],
        "referenceName": found["name"],
        "categoryId": "10164601247279",
        "profileId": profile_id,
        "fasterPaymentAllowed": bool(found["faster"]),
    }


def authorisation_setup(assumed: Assumptions) -> Json:
    """With null where there is nobody, as live answers have it."""
    people = [{"authoriserId": key, "name": name} for key, name in _PEOPLE]
    needed = assumed.authorisation_required
    return {
        "numberOfAuthorisationRequired": "2" if needed else "0",
        "period": [{"id": str(days), "description": _period(days)} for days in _PERIODS],
        "authorisersListA": people if needed else None,
        "authorisersListB": people if needed else None,
    }


def responses(found: Sequence[Json], assumed: Assumptions, words: str | None = None) -> Json:
    data: Json = {"TransferResponses": list(found), "ErrorMessage": words}
    return {"transferResponse": data} if assumed.nested_responses else data


def response(payment: sqlite3.Row, day: date) -> Json:
    waits = payment["state"] == "AWAITING_AUTHORISATION"
    first = "Authorisation required" if waits else "No authorisation necessary"
    return {
        "PaymentReferenceNumber": payment["reference"],
        "PaymentDate": slashed(day),
        "Status": f"- {first} <BR>- Payment/Transfer effective date {slashed(day)}",
        "BeneficiaryName": payment["theirs"],
        "BeneficiaryAccountId": payment["target"],
        "AuthorisationRequired": waits,
    }


def refusal(target: str, words: str, day: date) -> Json:
    """A response for what was not taken in."""
    return {
        "PaymentReferenceNumber": None,
        "PaymentDate": slashed(day),
        "Status": f"- {words}",
        "BeneficiaryName": None,
        "BeneficiaryAccountId": target,
        "AuthorisationRequired": False,
    }


def slashed(day: date) -> str:
    return day.strftime("%d/%m/%Y")


def _period(days: int) -> str:
    if days == 0:
        return "Current Day"
    return "1 Working day" if days == 1 else f"{days} Working days"
