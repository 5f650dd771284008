"""What answers look like, for the documentation only: documents are written, not validated.

A test holds real documents against these, so that they stay true.
"""

from __future__ import annotations

from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, RootModel
from pydantic.alias_generators import to_camel

Id = Annotated[str, Field(examples=["0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"])]
Money = Annotated[
    str,
    Field(
        pattern=r"^-?[0-9]{1,17}(\.[0-9]+)?$",
        description="Major units, with the digits of the currency.",
        examples=["100.00"],
    ),
]
Time = Annotated[
    str,
    Field(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z$",
        json_schema_extra={"format": "date-time"},
        examples=["2026-03-24T10:00:00.000000Z"],
    ),
]
CommandId = Annotated[
    str,
    Field(pattern=r"^[a-z2-7]{36}$", examples=["agm3x5cqaebqcae6nq3u4ijx5y7rm2hkzqdo"]),
]
CurrencyCode = Annotated[str, Field(pattern=r"^[A-Z]{3}$", examples=["ZAR"])]
Pairs = Annotated[dict[str, str], Field(examples=[{"channel": "app"}])]


class Schema(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", alias_generator=to_camel)


class Wallet(Schema):
    wallet_id: Id
    external_unique_id: str
    name: str | None
    type: Literal["STANDARD", "SYSTEM"]
    status: Literal["ACTIVE", "FROZEN", "CLOSED"]
    currency: CurrencyCode
    current_balance: Money
    available_balance: Money
    reservations: Money
    minimum_balance: Money | None = Field(description="null for SYSTEM wallets")
    reference: str = Field(
        description="What a person types into a bank app to pay in; with check digits.",
        examples=["RF18539007547034"],
    )
    created: Time
    metadata: Pairs


class Balance(Schema):
    wallet_id: Id
    currency: CurrencyCode
    current_balance: Money
    available_balance: Money | None = Field(description="null where `at` was given")
    reservations: Money | None = Field(description="null where `at` was given")
    minimum_balance: Money | None = Field(
        description="null for SYSTEM wallets, and where `at` was given"
    )
    as_of: Time


class Entry(Schema):
    entry_id: str
    wallet_id: Id
    sequence: int = Field(description="1, 2, 3 … per wallet, without gaps")
    transfer_id: Id
    amount: Money = Field(description="signed: debits are negative")
    balance: Money = Field(description="after this entry")
    counterparty_wallet_id: Id
    description: str | None
    external_unique_id: str
    external_id: str | None
    session_id: str | None
    created: Time


class ReleasedReservation(Schema):
    reservation_id: Id
    amount: Money


class Transfer(Schema):
    transfer_id: Id
    status: Literal["POSTED"]
    from_wallet_id: Id
    to_wallet_id: Id
    amount: Money
    currency: CurrencyCode
    external_unique_id: str
    external_id: str | None
    session_id: str | None
    description: str | None
    metadata: Pairs
    reversal_of: Id | None
    group_id: Id | None
    command_id: CommandId
    created: Time
    from_balance: Money = Field(description="current balance right after it")
    to_balance: Money = Field(description="current balance right after it")
    released_reservations: list[ReleasedReservation]


class TransferGroup(Schema):
    group_id: Id
    external_unique_id: str | None
    transfers: list[Transfer]


class Check(Schema):
    would_succeed: Literal[True]


class Reservation(Schema):
    reservation_id: Id
    wallet_id: Id
    amount: Money
    currency: CurrencyCode
    session_id: str
    description: str | None
    expires: Time
    created: Time
    external_unique_id: str


Item = TypeVar("Item")


class Page(Schema, Generic[Item]):
    items: list[Item]
    next_cursor: str | None = Field(description="null on the last page")


class WalletPage(Page[Wallet]):
    pass


class TransferPage(Page[Transfer]):
    pass


class ReservationPage(Page[Reservation]):
    pass


class EntryPage(Page[Entry]):
    complete_until: Time = Field(description="nothing older than this can still appear")


class PendingCommand(Schema):
    command_id: CommandId
    status: Literal["PENDING"]
    final_by: Time


class CommandOutcome(Schema):
    http_status: int
    body: dict[str, Any] | None


class Command(Schema):
    command_id: CommandId
    status: Literal["PENDING", "APPLIED", "REJECTED", "EXPIRED"]
    final_by: Time
    outcome: CommandOutcome | None = Field(
        None, description="What the synchronous call would have answered; absent while PENDING."
    )


class DeadLetterResolution(Schema):
    actor: str = Field(description="id of the API key that did it")
    actor_name: str | None = Field(description="what that key is called")
    resolved: Time
    command_id: CommandId = Field(description="of the replay, or of the discard")
    reason: str | None = Field(description="why it was discarded; null for a replay")
    outcome: CommandOutcome = Field(description="what became of that command")


class DeadLetterSummary(Schema):
    dead_letter_id: Id
    status: Literal["OPEN", "REPLAYED", "DISCARDED"]
    created: Time
    layout: int
    partition: int
    reason: str
    command_id: CommandId | None = Field(description="null where the message cannot be read")
    type: str | None = Field(
        description="what the command asks for; null where it cannot be read",
        examples=["PostTransfer"],
    )
    actor: str | None = Field(description="id of the API key that asked")
    replay_of: Id | None = Field(description="the letter whose replay this was")
    resolution: DeadLetterResolution | None = Field(description="null while it is open")


class DeadLetter(DeadLetterSummary):
    command: dict[str, Any] | None = Field(description="the command's members by name")
    message: str | None = Field(description="base64 of what cannot be read")
    traceback: str | None


class DeadLetterPage(Page[DeadLetterSummary]):
    pass


class DeadLetterReason(Schema):
    reason: str
    open: int
    resolved: int
    first: Time
    last: Time
    latest_dead_letter_id: Id


class DeadLetterReasonPage(Page[DeadLetterReason]):
    pass


class Replayed(RootModel[Transfer | TransferGroup | Wallet | Reservation]):
    """What the parked command made."""


class ReplayCheck(Schema):
    dead_letter_id: Id
    type: str = Field(examples=["PostTransfer"])
    command: dict[str, Any] = Field(description="what would be sent")
    would_succeed: bool
    refusal: Problem | None = Field(description="what it would be refused with now")


class ReplayedOrChecked(RootModel[Wallet | ReplayCheck]):
    """The wallet that was changed; with `dryRun`, what would happen."""


class Discarded(Schema):
    dead_letter_id: Id
    status: Literal["DISCARDED"]
    reason: str


class Batch(Schema):
    batch_id: str = Field(examples=["payroll-2026-03"])
    kind: Literal["transfers", "wallets"]
    atomic: bool
    dry_run: bool
    not_after: Time | None
    status: Literal["RECEIVING", "QUEUED", "RUNNING", "PAUSED", "DONE", "CANCELLED", "FAILED"]
    reason: str | None = Field(description="what refused the file, or stopped it")
    received_bytes: int
    lines: int | None = Field(description="null until the whole file was read")
    posted: int
    rejected: int
    invalid: int
    expired: int
    cancelled: int
    posted_amount: dict[str, Money] = Field(examples=[{"ZAR": "1234.50"}])
    rejected_amount: dict[str, Money]
    created: Time
    received_at: Time | None
    started_at: Time | None
    finished_at: Time | None


class BatchPage(Page[Batch]):
    pass


class Alive(Schema):
    status: Literal["ok"]


class Ready(Schema):
    status: Literal["ready"]
    checks: dict[str, str]


class ProblemError(Schema):
    """Which part of the request is to blame: exactly one of the three places."""

    detail: str
    pointer: str | None = Field(None, description="JSON Pointer into the body")
    parameter: str | None = Field(None, description="query parameter")
    header: str | None = None


class Problem(BaseModel):
    """RFC 9457. Further members by code: `transfer`, `wallet`, `reservation` or `groupId` with
    `samePayload` (duplicates), `index` (groups), `deadLetterId` (internal)."""

    model_config = ConfigDict(strict=True, extra="allow", alias_generator=to_camel)

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str
    category: Literal["SYSTEM", "BUSINESS"]
    retryable: bool
    errors: list[ProblemError] | None = None
