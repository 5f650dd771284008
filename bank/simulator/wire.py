"""The bank's documents: names, envelope and number formats as it answers them."""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from bank.simulator.assumptions import Assumptions
from bank.simulator.books import SAST

Json = dict[str, Any]


def envelope(data: object, url: str) -> Json:
    return {"data": data, "links": {"self": url}, "meta": {"totalPages": 1}}


def number(cents: int) -> int | float:
    """Amounts are JSON numbers, whole ones without decimals."""
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
        "cardNumber": "" if posted else None,
        "postedOrder": found["posted_order"],
        "postingDate": found["posting_date"],
        "valueDate": found["value_date"],
        "actionDate": found["posting_date"],
        "transactionDate": found["transaction_date"],
        "amount": number(found["amount"]),
        "runningBalance": number(found["running"]) if posted else None,
    }
    if posted:
        shown["uuid"] = uuid(found["account_id"], found["posting_date"], found["posted_order"])
    elif assumed.pending_uuid == "blank":
        shown["uuid"] = ""
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
    paid = found["last_paid"]
    return {
        "beneficiaryId": found["beneficiary_id"],
        "accountNumber": found["account_number"],
        "code": found["code"],
        "bank": found["bank"],
        "beneficiaryName": found["name"],
        "lastPaymentAmount": ""
        if found["last_amount"] is None
        else f"{found['last_amount'] / 100:.2f}",
        "lastPaymentDate": "" if paid is None else slashed(date.fromisoformat(paid)),
        "cellNo": None,
        "emailAddress": None,
        "name": found["name"],
        "referenceAccountNumber": found["name"],
        "referenceName": found["name"],
        "categoryId": "10120",
        "profileId": profile_id,
        "fasterPaymentAllowed": bool(found["faster"]),
    }


def responses(found: Sequence[Json], assumed: Assumptions, said: str | None = None) -> Json:
    data: Json = {"TransferResponses": list(found), "ErrorMessage": said}
    return {"transferResponse": data} if assumed.nested_responses else data


def response(payment: sqlite3.Row) -> Json:
    made = datetime.fromtimestamp(payment["made"], SAST)
    waits = payment["state"] == "AWAITING_AUTHORISATION"
    first = "Authorisation required" if waits else "No authorisation necessary"
    return {
        "PaymentReferenceNumber": payment["reference"],
        "PaymentDate": slashed(made.date()),
        "Status": f"- {first} <BR>- Payment/Transfer effective date {slashed(made.date())}",
        "BeneficiaryName": payment["theirs"],
        "BeneficiaryAccountId": payment["beneficiary_id"],
        "AuthorisationRequired": waits,
    }


def slashed(day: date) -> str:
    return day.strftime("%d/%m/%Y")
