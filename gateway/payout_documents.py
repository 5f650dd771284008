"""Payouts and payment files as callers see them, and as the documentation describes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from bank.payouts.exporting import Export
from bank.payouts.orders import Payout, Word
from bank.payouts.payees import steps
from bank.payouts.states import State
from gateway.schemas import CurrencyCode, Id, Money, Page, Schema, Time
from ledger.money import exponent_of, format_minor
from topology.documents import Document, text, timestamp


class PayeeSchema(Schema):
    name: str
    account_number: str
    branch_code: str
    beneficiary_id: str | None = Field(description="what the bank calls it, once that is known")


class PayoutWordSchema(Schema):
    word: Literal[
        "APPROVED",
        "DECLINED",
        "CANCELLED",
        "RESUMED",
        "EXPORTED",
        "GIVING_UP",
        "GIVEN_UP",
        "NOT_GIVEN_UP",
        "ROW_NAMED",
        "ROW_AGREED",
        "ROW_REFUSED",
    ]
    owner: str
    key_id: str
    reason: str | None
    said: Time


class PayoutSchema(Schema):
    payout_id: Id
    external_unique_id: str
    status: Literal[
        "REQUESTED",
        "AWAITING_APPROVAL",
        "HELD",
        "AWAITING_BENEFICIARY",
        "SUBMITTING",
        "AWAITING_BANK",
        "UNKNOWN",
        "SETTLED",
        "REJECTED",
        "RETURNED",
    ]
    reason: str | None = Field(description="why it is in this state, where there is more to say")
    wallet_id: Id
    amount: Money
    currency: CurrencyCode
    bank_account_id: str
    beneficiary: PayeeSchema
    my_reference: str = Field(
        description="what its row in our statement has to name", examples=["PO973K7WXQ2M8RZ4"]
    )
    their_reference: str
    description: str | None
    session_id: str = Field(description="of its reservation; also the key of its transfer")
    made_by: str = Field(description="owner of the key that asked for it")
    key_id: str
    approvals_needed: int
    approvals: int
    words: list[PayoutWordSchema] = Field(description="what people said to it, in order")
    giving_up: str | None = Field(
        description="owner of the key that says the bank will not pay it; a second person has to"
    )
    named_row: Id | None = Field(
        description="a debit that somebody says is this payout's; a second person has to"
    )
    named_by: str | None = Field(description="owner of the key that said so")
    steps: list[str] = Field(description="what people can do now, where it waits for them")
    problem: str | None = Field(description="what keeps the bank's row from being booked")
    payment_reference: str | None = Field(description="the bank's own")
    authorised_until: Time | None = Field(
        description="until when the bank's own authorisers are waited for"
    )
    export_id: Id | None = Field(description="the payment file that carries it")
    transfer_id: Id | None = Field(description="by which its money has left the wallet")
    return_transfer_id: Id | None = Field(description="by which it came back")
    requested: Time
    submitted: Time | None
    changed: Time


class PayoutPage(Page[PayoutSchema]):
    pass


class PayoutExportSchema(Schema):
    export_id: Id
    bank_account_id: str
    format: Literal["PAIN.001", "CSV"]
    payouts: int
    total: Money
    currency: CurrencyCode
    made_by: str
    made: Time


class PayoutExportPage(Page[PayoutExportSchema]):
    pass


def document(payout: Payout, words: Sequence[Word]) -> Document:
    order = payout.order
    return {
        "payoutId": str(payout.payout_id),
        "externalUniqueId": order.external_unique_id,
        "status": payout.state.value,
        "reason": payout.reason,
        "walletId": str(order.wallet_id),
        "amount": format_minor(order.amount_minor, exponent_of(order.currency)),
        "currency": order.currency,
        "bankAccountId": order.account_id,
        "beneficiary": {
            "name": order.payee.name,
            "accountNumber": order.payee.account_number,
            "branchCode": order.payee.branch_code,
            "beneficiaryId": payout.paid_beneficiary_id or order.payee.beneficiary_id,
        },
        "myReference": payout.my_reference,
        "theirReference": order.their_reference,
        "description": order.description,
        "sessionId": payout.session_id,
        "madeBy": payout.maker.owner,
        "keyId": payout.maker.key_id,
        "approvalsNeeded": payout.approvals_needed,
        "approvals": payout.approvals,
        "words": [_word(word) for word in words],
        "givingUp": payout.giving_up,
        "namedRow": text(payout.named_row),
        "namedBy": payout.named_by,
        "steps": _steps(payout),
        **_progress(payout),
    }


def _progress(payout: Payout) -> dict[str, Any]:
    return {
        "problem": payout.problem,
        "paymentReference": payout.payment_reference,
        "authorisedUntil": _time(payout.authorised_until),
        "exportId": text(payout.export_id),
        "transferId": text(payout.transfer_id),
        "returnTransferId": text(payout.return_transfer_id),
        "requested": timestamp(payout.requested),
        "submitted": _time(payout.submitted),
        "changed": timestamp(payout.changed),
    }


def export_document(export: Export) -> Document:
    return {
        "exportId": str(export.export_id),
        "bankAccountId": export.account_id,
        "format": export.format.value,
        "payouts": export.payouts,
        "total": format_minor(export.total_minor, exponent_of(export.currency)),
        "currency": export.currency,
        "madeBy": export.maker.owner,
        "made": timestamp(export.made),
    }


def _steps(payout: Payout) -> list[str]:
    return steps(payout) if payout.state is State.AWAITING_BENEFICIARY else []


def _word(word: Word) -> Document:
    return {
        "word": word.word,
        "owner": word.person.owner,
        "keyId": word.person.key_id,
        "reason": word.reason,
        "said": timestamp(word.said),
    }


def _time(moment: Any) -> str | None:
    return None if moment is None else timestamp(moment)
