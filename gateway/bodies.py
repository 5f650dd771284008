"""What a caller may send: one strict model per body, unknown members refused.

``null`` counts as left out where a member is optional, except in a change: there it could be meant
as "remove", which nothing does.
"""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import ErrorDetails

from gateway.fields import (
    AMOUNT_ERROR,
    Amount,
    Currency,
    Description,
    DiscardReason,
    ExternalId,
    Metadata,
    Moment,
    Name,
    ReservationKey,
    SessionId,
    SignedAmount,
    TransferKey,
    WalletKey,
    WalletName,
)
from gateway.problems import Refusal, pointed
from gateway.texts import escape
from ledger.commands import GROUP_SIZE
from ledger.rejections import Code

_WORDS: Final = {
    "missing": "is required",
    "extra_forbidden": "is not a member of this body",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be an object of strings",
    "list_type": "must be an array",
    "model_type": "must be an object",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "string_pattern_mismatch": "must match {pattern}",
    "literal_error": "must be {expected}",
    "too_short": "must have at least {min_length} items",
    "too_long": "must have at most {max_length} items",
}


class Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, alias_generator=to_camel)


BodyT = TypeVar("BodyT", bound=Body)


class NewWallet(Body):
    external_unique_id: WalletKey | None = Field(
        None, description="Its key, for ever; may be given as Idempotency-Key instead."
    )
    currency: Currency
    name: Name | None = None
    type: Literal["STANDARD", "SYSTEM"] | None = Field(
        None,
        description="Default STANDARD. SYSTEM wallets have no lower limit and need the operator"
        " scope.",
    )
    minimum_balance: SignedAmount | None = Field(
        None, description="Default 0; anything else needs the operator scope."
    )
    metadata: Metadata | None = None


#: Stands for a member that was left out, where null is not allowed to.
_LEFT_OUT: Final[Any] = None


class WalletChange(Body):
    """At least one member; ``model_fields_set`` tells which."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1})

    status: Literal["ACTIVE", "FROZEN", "CLOSED"] = Field(
        _LEFT_OUT, description="FROZEN: no debit and no reservation. CLOSED is final."
    )
    name: Name = _LEFT_OUT
    metadata: Metadata = _LEFT_OUT
    minimum_balance: SignedAmount = Field(_LEFT_OUT, description="Needs the operator scope.")


class Transfer(Body):
    from_wallet_id: WalletName | None = None
    from_external_unique_id: WalletName | None = None
    to_wallet_id: WalletName | None = None
    to_external_unique_id: WalletName | None = None
    amount: Amount
    external_unique_id: TransferKey | None = Field(None, description="The idempotency key.")
    currency: Currency | None = Field(None, description="Checked where given.")
    description: Description | None = None
    session_id: SessionId | None = Field(None, description="Releases this session's reservations.")
    external_id: ExternalId | None = None
    metadata: Metadata | None = None


class NewTransfer(Transfer):
    only_check: bool | None = Field(None, description="Only say whether it would succeed now.")


class GroupMember(Transfer):
    only_check: Literal[False] | None = Field(None, description="A group cannot be checked only.")


class NewTransferGroup(Body):
    transfers: Annotated[list[GroupMember], Field(min_length=1, max_length=GROUP_SIZE)]
    external_unique_id: TransferKey | None = Field(None, description="The group's own key.")


class NewReversal(Body):
    external_unique_id: TransferKey | None = Field(None, description="The idempotency key.")
    amount: Amount | None = Field(None, description="Default: what can still be reversed.")
    description: Description | None = None


class NewReservation(Body):
    amount: Amount
    session_id: SessionId
    expires: Moment
    external_unique_id: ReservationKey | None = Field(None, description="The idempotency key.")
    currency: Currency | None = Field(None, description="Checked where given.")
    description: Description | None = None


class NewReplay(Body):
    dry_run: bool | None = Field(None, description="Only say what it would come to now.")


class NewDiscard(Body):
    reason: DiscardReason = Field(description="Why it need not be done; kept for ever.")


def validated(model: type[BodyT], document: dict[str, Any]) -> BodyT:
    """The document as the model. Raises ``Refusal`` that points at all that is wrong."""
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise _refusal(error.errors(include_url=False, include_input=False)) from None


def _refusal(found: list[ErrorDetails]) -> Refusal:
    errors = [{"detail": _words(e), "pointer": _pointer(e["loc"])} for e in found]
    only_amounts = all(e["type"] == AMOUNT_ERROR for e in found)
    first = errors[0]
    return Refusal(
        Code.INVALID_AMOUNT if only_amounts else Code.INVALID_REQUEST,
        pointed(first["detail"], first["pointer"]),
        errors=errors,
    )


def _words(error: ErrorDetails) -> str:
    words = _WORDS.get(error["type"])
    return error["msg"] if words is None else words.format(**error.get("ctx", {}))


def _pointer(location: tuple[int | str, ...]) -> str:
    return "".join(f"/{escape(str(step))}" for step in location)
