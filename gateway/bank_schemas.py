"""Deposits, suspense and exceptions for the documentation (see ``gateway.schemas``)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from gateway.schemas import CurrencyCode, Id, Money, Page, Schema, Time

Day = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$", examples=["2026-05-31"])]


class BankAccountSchema(Schema):
    account_id: str
    currency: CurrencyCode
    control_wallet_id: Id = Field(description="what the bank owes us: its balance is negative")
    suspense_wallet_id: Id = Field(description="what nobody could attribute yet")
    charges_wallet_id: Id = Field(description="what the bank books by itself")
    followed_from: Day
    followed_until: Time | None = Field(
        description="since when it is followed no more; its rows and wallets stay"
    )
    opening_balance: Money | None = Field(
        description="before the first row that is followed, and in no wallet"
    )
    fetched: Time | None


class BankAccountPage(Page[BankAccountSchema]):
    pass


class BankRowSchema(Schema):
    row_id: Id
    account_id: str
    posting_date: Day
    posted_order: int | None
    direction: Literal["CREDIT", "DEBIT"]
    amount: Money
    currency: CurrencyCode
    description: str
    transaction_type: str | None
    value_date: Day | None
    transaction_date: Day | None
    running_balance: Money | None
    source: str
    stored: Time
    status: Literal["NEW", "HELD", "DECIDED", "BOOKED", "RETRACTED"]
    vanished: Time | None
    same_as: Id | None = Field(description="it is no row of its own, but this one")
    purpose: str | None
    wallet_id: Id | None
    matched_by: str | None
    transfer_id: Id | None
    booked: Time | None
    problem: str | None


class BankRowPage(Page[BankRowSchema]):
    pass


class _WhatCame(Schema):
    finished: Time | None
    rows: int | None
    new: int | None
    exceptions: int | None
    problem: str | None


class FetchSchema(_WhatCame):
    fetch_id: Id
    account_id: str
    requested_by: str
    requested: Time
    first_day: Day | None


class SumSchema(Schema):
    """How many entries, and what they come to."""

    count: int
    amount: Money


class StatementSchema(_WhatCame):
    """What the file says is null until it was read."""

    statement_id: Id
    account_id: str
    currency: CurrencyCode
    format: Literal["MT940", "CAMT053", "OFX", "CSV"]
    sha256: str = Field(description="of the file, as it was handed in", pattern="^[0-9a-f]{64}$")
    status: Literal["RECEIVED", "AWAITING_APPROVAL", "APPROVED", "DONE", "REFUSED", "FAILED"]
    uploaded_by: str
    uploaded_owner: str
    uploaded: Time
    handed_in_again: Time | None = Field(description="when the same file last came once more")
    named_account: str | None = Field(description="the account that the file itself names")
    account_confirmed: bool | None = Field(
        description="that it is this account, by its number; false: there was nothing to compare"
    )
    first_entry: Day | None = Field(description="the day of its first entry")
    last_entry: Day | None
    first_day: Day | None = Field(
        description="to `lastDay` it accounts for every day: it has all entries of each, or the"
        " balances around them. That is what it proves in a reconciliation"
    )
    last_day: Day | None
    opening_balance: Money | None
    closing_balance: Money | None
    credits: SumSchema | None
    debits: SumSchema | None
    new_credits: SumSchema | None = Field(
        description="those that were not known when the file was last read"
    )
    new_debits: SumSchema | None


class StatementPage(Page[StatementSchema]):
    pass


class OpenActionSchema(Schema):
    action_id: Id
    kind: str
    status: str


class SuggestionSchema(Schema):
    wallet_id: Id
    why: Literal["CANDIDATE", "EXPECTED"]
    note: str | None = None


class SuspendedSchema(Schema):
    row_id: Id
    account_id: str
    posting_date: Day
    age_days: int
    amount: Money
    currency: CurrencyCode
    description: str
    purpose: str
    transfer_id: Id
    booked: Time
    vanished: Time | None
    suggestions: list[SuggestionSchema]
    open_action: OpenActionSchema | None


class SuspensePage(Page[SuspendedSchema]):
    pass


class ShareSchema(Schema):
    wallet_id: Id
    amount: Money


class VerdictSchema(Schema):
    of: Literal["ACTION", "GIVING_UP"] = Field(
        description="GIVING_UP: a return that was approved and not paid yet"
    )
    key_id: str
    owner: str
    verdict: Literal["APPROVED", "REFUSED"]
    reason: str | None
    given: Time


class BankActionSchema(Schema):
    action_id: Id
    kind: Literal["ALLOCATE", "RETURN", "WRITE_OFF", "BOOK", "SAME", "RETRACT", "EXPORT"]
    status: Literal["AWAITING_APPROVAL", "APPROVED", "AWAITING_BANK", "DONE", "REFUSED", "FAILED"]
    row_id: Id
    account_id: str
    amount: Money
    currency: CurrencyCode
    shares: list[ShareSchema]
    same_as: Id | None = Field(description="for SAME: the row that it is")
    export_id: Id | None = Field(description="of the payment file that it is about")
    reference: str | None = Field(description="what the payment that returns it has to say")
    reason: str
    requested_by: str
    requested_owner: str
    requested: Time
    verdicts: list[VerdictSchema]
    problem: str | None
    finished: Time | None


class BankActionPage(Page[BankActionSchema]):
    pass


class BankExceptionSchema(Schema):
    exception_id: Id
    account_id: str
    kind: str
    row_id: Id | None
    other_row_id: Id | None
    detail: str
    found: Time
    open_action: OpenActionSchema | None
    resolved: Time | None
    resolution: str | None
    resolved_by: str | None
    reason: str | None


class BankExceptionPage(Page[BankExceptionSchema]):
    pass


class AliasSchema(Schema):
    alias_id: Id
    account_id: str
    alias: str
    wallet_id: Id
    status: Literal["AWAITING_APPROVAL", "IN_FORCE"]
    created_by: str
    created: Time


class AliasPage(Page[AliasSchema]):
    pass


class ExpectedPaymentSchema(Schema):
    expected_id: Id
    account_id: str
    wallet_id: Id
    amount: Money
    currency: CurrencyCode
    first_day: Day
    last_day: Day
    note: str | None
    created_by: str
    created: Time


class ExpectedPaymentPage(Page[ExpectedPaymentSchema]):
    pass
