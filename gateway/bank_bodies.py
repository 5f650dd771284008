"""What a caller may send about deposits, suspense and exceptions."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.bodies import Body
from gateway.fields import LONGEST_ID, Amount, Clean
from gateway.payout_bodies import Reason
from ledger.commands import GROUP_SIZE

AccountId = Annotated[str, StringConstraints(min_length=1, max_length=40)]
Named = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]
Day = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"),
    Field(examples=["2026-05-31"], json_schema_extra={"format": "date"}),
]


class NewFetch(Body):
    account_id: AccountId


class NewShare(Body):
    wallet_id: Named
    amount: Amount


class NewSuspenseAction(Body):
    kind: Literal["ALLOCATE", "RETURN", "WRITE_OFF"]
    shares: Annotated[list[NewShare], Field(max_length=GROUP_SIZE)] | None = Field(
        None,
        description="For ALLOCATE: who gets how much, all of it. WRITE_OFF: to which SYSTEM wallet;"
        " default the account's bank-charges.",
    )
    reason: Reason


class NewRowAction(Body):
    kind: Literal["BOOK", "SAME", "RETRACT", "EXPORT"]
    export_id: Named | None = Field(
        None, description="EXPORT: the payment file whose payouts this debit pays all together."
    )
    shares: Annotated[list[NewShare], Field(max_length=GROUP_SIZE)] | None = Field(
        None, description="RETRACT: from whom it is taken back; default who has got it."
    )
    same_as: Named | None = Field(
        None, description="SAME: the row that it is; default the one that the exception names."
    )
    reason: Reason


class NewWord(Body):
    reason: Reason | None = None


class NewResolution(Body):
    resolution: Literal["ACKNOWLEDGED"]
    reason: Reason


class NewAlias(Body):
    account_id: AccountId
    alias: Annotated[str, StringConstraints(min_length=3, max_length=40), Clean] = Field(
        description="Up to five whole words; case, spaces and punctuation do not count."
    )
    wallet_id: Named


class NewExpectedPayment(Body):
    account_id: AccountId
    wallet_id: Named
    amount: Amount
    first_day: Day
    last_day: Day
    note: Reason | None = None
