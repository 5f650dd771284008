"""What a caller may send about payouts."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bank.payouts.exporting import MOST_IN_A_FILE
from gateway.bodies import Body
from gateway.fields import LONGEST_ID, Amount, Clean, Currency, Description, WalletName
from ledger.commands import DESCRIPTION_LENGTH, RESERVATION_KEY_LENGTH

_NOT_BLANK = r"\S"

PayoutKey = Annotated[
    str,
    StringConstraints(min_length=RESERVATION_KEY_LENGTH[0], max_length=RESERVATION_KEY_LENGTH[1]),
]
Reason = Annotated[
    str, StringConstraints(min_length=1, max_length=DESCRIPTION_LENGTH, pattern=_NOT_BLANK), Clean
]
PayoutId = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]


class NewPayee(Body):
    name: Annotated[
        str, StringConstraints(min_length=1, max_length=70, pattern=_NOT_BLANK), Clean
    ] = Field(examples=["Thandi Nkosi"])
    account_number: Annotated[str, StringConstraints(pattern=r"^[0-9]{4,20}$")] = Field(
        examples=["62000000001"]
    )
    branch_code: Annotated[str, StringConstraints(pattern=r"^[0-9]{4,12}$")] = Field(
        examples=["250655"]
    )
    beneficiary_id: (
        Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NOT_BLANK), Clean]
        | None
    ) = Field(None, description="What the bank calls it; its account number is checked.")


class NewPayout(Body):
    wallet_id: WalletName | None = None
    wallet_external_unique_id: WalletName | None = None
    amount: Amount
    currency: Currency | None = Field(None, description="Checked where given.")
    external_unique_id: PayoutKey | None = Field(None, description="The idempotency key.")
    bank_account_id: WalletName | None = Field(
        None, description="Which bank account pays; may be left out where there is one alone."
    )
    beneficiary: NewPayee
    their_reference: Annotated[str, StringConstraints(pattern=r"^[!-~]([ -~]{0,18}[!-~])?$")] = (
        Field(description="What the payee's statement shows.", examples=["Invoice 42"])
    )
    description: Annotated[Description, Clean] | None = Field(
        None, description="For our own people."
    )


class NewApproval(Body):
    of: Literal["PAYMENT", "GIVING_UP", "ROW"] | None = Field(
        None,
        description="To what: the payment (default), that the bank will not pay it, or that a row"
        " is its. Agreeing to one is never taken for agreeing to another.",
    )
    row_id: PayoutId | None = Field(
        None, description="Which row; needed for ROW, and for nothing else."
    )
    reason: Reason | None = None


class NewResumption(Body):
    reason: Reason | None = None


class NewReason(Body):
    reason: Reason = Field(description="Why; kept for ever.")


class NewPayoutRow(Body):
    row_id: PayoutId = Field(description="An unbooked debit of the payout's very amount.")
    reason: Reason = Field(description="Why it is this payout's; kept for ever.")


class NewPayoutExport(Body):
    format: Literal["PAIN.001", "CSV"]
    bank_account_id: WalletName | None = Field(
        None, description="May be left out where there is one alone."
    )
    payout_ids: Annotated[list[PayoutId], Field(min_length=1, max_length=MOST_IN_A_FILE)] | None = (
        Field(
            None,
            description=f"These; left out: the oldest {MOST_IN_A_FILE} in AWAITING_BENEFICIARY.",
        )
    )
