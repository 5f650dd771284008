"""Deposits, suspense and exceptions as callers see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from bank.actions import export_of, shares_of
from ledger.money import exponent_of, format_minor
from topology.documents import Document, text, timestamp

Record = Mapping[str, Any]

#: Of statement files, by the columns that have them.
_SUMS: Final = {
    "credits": "credits",
    "debits": "debits",
    "newCredits": "new_credits",
    "newDebits": "new_debits",
}


def account(found: Record) -> Document:
    opening = found["opening_minor"]
    return {
        "accountId": found["account_id"],
        "currency": found["currency"],
        "controlWalletId": str(found["control_wallet"]),
        "suspenseWalletId": str(found["suspense_wallet"]),
        "chargesWalletId": str(found["charges_wallet"]),
        "followedFrom": _day(found["followed_from"]),
        "followedUntil": _time(found["followed_until"]),
        "openingBalance": None if opening is None else money(opening, found["currency"]),
        "fetched": _time(found["fetched"]),
    }


def row(found: Record) -> Document:
    running = found["running_minor"]
    return {
        "rowId": str(found["row_id"]),
        "accountId": found["account_id"],
        "postingDate": _day(found["posting_date"]),
        "postedOrder": found["posted_order"],
        "direction": "CREDIT" if found["credit"] else "DEBIT",
        "amount": money(found["amount_minor"], found["currency"]),
        "currency": found["currency"],
        "description": found["description"],
        "transactionType": found["transaction_type"],
        "valueDate": _day(found["value_date"]),
        "transactionDate": _day(found["transaction_date"]),
        "runningBalance": None if running is None else money(running, found["currency"]),
        "source": found["source"],
        "stored": timestamp(found["stored"]),
        "status": row_status(found),
        "vanished": _time(found["vanished"]),
        "sameAs": text(found["same_as"]),
        "purpose": found["purpose"],
        "walletId": text(found["wallet_id"]),
        "matchedBy": found["matched_by"] or None,
        "transferId": text(found["transfer_id"]),
        "booked": _time(found["booked"]),
        "problem": found["problem"],
    }


def row_status(found: Record) -> str:
    if found["retracted"] is not None:
        return "RETRACTED"
    if found["booked"] is not None:
        return "BOOKED"
    if found["held"]:
        return "HELD"
    return "NEW" if found["decided"] is None else "DECIDED"


def fetch(found: Record) -> Document:
    return {
        "fetchId": str(found["fetch_id"]),
        "accountId": found["account_id"],
        "requestedBy": found["requested_by"],
        "requested": timestamp(found["requested"]),
        "firstDay": _day(found["first_day"]),
        **_what_came(found),
    }


def statement(found: Record) -> Document:
    """What it says is null until it was read."""
    return {
        "statementId": str(found["statement_id"]),
        "accountId": found["account_id"],
        "currency": found["currency"],
        "format": found["format"],
        "sha256": found["sha256"].hex(),
        "status": found["status"],
        "uploadedBy": found["uploaded_by"],
        "uploadedOwner": found["uploaded_owner"],
        "uploaded": timestamp(found["uploaded"]),
        "handedInAgain": _time(found["handed_in_again"]),
        "namedAccount": found["named_account"],
        "accountConfirmed": found["account_confirmed"],
        "firstEntry": _day(found["first_entry"]),
        "lastEntry": _day(found["last_entry"]),
        "firstDay": _day(found["first_day"]),
        "lastDay": _day(found["last_day"]),
        "openingBalance": _money(found["opening_minor"], found["currency"]),
        "closingBalance": _money(found["closing_minor"], found["currency"]),
        **{
            name: _sum(found[column], found[f"{column}_minor"], found["currency"])
            for name, column in _SUMS.items()
        },
        **_what_came(found),
    }


def suspended(found: Record, now: datetime, expected: Sequence[Record]) -> Document:
    since: datetime = found["booked"]
    return {
        "rowId": str(found["row_id"]),
        "accountId": found["account_id"],
        "postingDate": _day(found["posting_date"]),
        "ageDays": max(0, (now - since).days),
        "amount": money(found["amount_minor"], found["currency"]),
        "currency": found["currency"],
        "description": found["description"],
        "purpose": found["purpose"],
        "transferId": str(found["transfer_id"]),
        "booked": timestamp(since),
        "vanished": _time(found["vanished"]),
        "suggestions": [
            *({"walletId": str(each), "why": "CANDIDATE"} for each in found["candidates"] or ()),
            *(
                {"walletId": str(each["wallet_id"]), "why": "EXPECTED", "note": each["note"]}
                for each in expected
            ),
        ],
        "openAction": open_action(found),
    }


def open_action(found: Record) -> Document | None:
    if found["open_action"] is None:
        return None
    return {
        "actionId": str(found["open_action"]),
        "kind": found["open_kind"],
        "status": found["open_status"],
    }


def action(found: Record, verdicts: Sequence[Record]) -> Document:
    return {
        "actionId": str(found["action_id"]),
        "kind": found["kind"],
        "status": found["status"],
        "rowId": str(found["row_id"]),
        "accountId": found["account_id"],
        "amount": money(found["amount_minor"], found["currency"]),
        "currency": found["currency"],
        "shares": [
            {
                "walletId": str(share.wallet_id),
                "amount": money(share.amount_minor, found["currency"]),
            }
            for share in shares_of(found["detail"])
        ],
        "sameAs": text(found["other_row_id"]),
        "exportId": text(export_of(found["detail"])),
        "reference": found["reference"],
        "reason": found["reason"],
        "requestedBy": found["requested_by"],
        "requestedOwner": found["requested_owner"],
        "requested": timestamp(found["requested"]),
        "verdicts": [
            {
                "of": "ACTION" if said["subject_id"] == found["action_id"] else "GIVING_UP",
                "keyId": said["key_id"],
                "owner": said["owner"],
                "verdict": said["verdict"],
                "reason": said["reason"],
                "given": timestamp(said["given"]),
            }
            for said in verdicts
        ],
        "problem": found["problem"],
        "finished": _time(found["finished"]),
    }


def exception(found: Record) -> Document:
    return {
        "exceptionId": str(found["exception_id"]),
        "accountId": found["account_id"],
        "kind": found["kind"],
        "rowId": text(found["row_id"]),
        "otherRowId": text(found["other_row_id"]),
        "detail": found["detail"],
        "found": timestamp(found["found"]),
        "openAction": open_action(found),
        "resolved": _time(found["resolved"]),
        "resolution": found["resolution"],
        "resolvedBy": found["resolved_by"],
        "reason": found["reason"],
    }


def alias(found: Record) -> Document:
    return {
        "aliasId": str(found["alias_id"]),
        "accountId": found["account_id"],
        "alias": found["spelling"],
        "walletId": str(found["wallet_id"]),
        "status": "AWAITING_APPROVAL" if found["approved"] is None else "IN_FORCE",
        "createdBy": found["created_by"],
        "created": timestamp(found["created"]),
    }


def expected_payment(found: Record) -> Document:
    return {
        "expectedId": str(found["expected_id"]),
        "accountId": found["account_id"],
        "walletId": str(found["wallet_id"]),
        "amount": money(found["amount_minor"], found["currency"]),
        "currency": found["currency"],
        "firstDay": _day(found["first_day"]),
        "lastDay": _day(found["last_day"]),
        "note": found["note"],
        "createdBy": found["created_by"],
        "created": timestamp(found["created"]),
    }


def money(minor: int, currency: str) -> str:
    return format_minor(minor, exponent_of(currency))


def by_subject(records: Sequence[Record], column: str) -> dict[UUID, list[Record]]:
    found: dict[UUID, list[Record]] = {}
    for record in records:
        found.setdefault(record[column], []).append(record)
    return found


def _what_came(found: Record) -> Document:
    return {
        "finished": _time(found["finished"]),
        "rows": found["rows_read"],
        "new": found["rows_new"],
        "exceptions": found["exceptions"],
        "problem": found["problem"],
    }


def _sum(count: int | None, minor: int | None, currency: str) -> Document | None:
    return None if count is None else {"count": count, "amount": _money(minor, currency)}


def _money(minor: int | None, currency: str) -> str | None:
    return None if minor is None else money(minor, currency)


def _day(day: date | None) -> str | None:
    return None if day is None else day.isoformat()


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else timestamp(moment)
