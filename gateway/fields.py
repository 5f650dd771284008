"""The kinds of values that bodies are made of, each with its check and its schema.

Lengths are the ledger's own: a body that passes makes a command that every consumer can read, which
matters because the commands of many callers share a message.
"""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, Field, PlainValidator, StringConstraints, WithJsonSchema
from pydantic_core import PydanticCustomError

from gateway.times import InvalidTime, parse_time
from ledger import commands
from ledger.money import InvalidAmount, UnknownCurrency, exponent_of, parse_amount
from topology.texts import is_clean

METADATA_PAIRS: Final = 20
METADATA_BYTES: Final = 2048
#: An id of ours has 36 characters; what is longer than this is no attempt at one.
LONGEST_ID: Final = 100

#: The type of the errors that make a refusal ``invalid-amount``.
AMOUNT_ERROR: Final = "amount"


def _amount(value: object) -> Decimal:
    return _parsed(value, signed=False)


def _signed_amount(value: object) -> Decimal:
    return _parsed(value, signed=True)


def _parsed(value: object, *, signed: bool) -> Decimal:
    try:
        return parse_amount(value, signed=signed)
    except InvalidAmount as error:
        raise PydanticCustomError(AMOUNT_ERROR, "{why}", {"why": str(error)}) from None


def _moment(value: object) -> datetime:
    try:
        return parse_time(value if isinstance(value, str) else "")
    except InvalidTime as error:
        raise PydanticCustomError("time", "{why}", {"why": str(error)}) from None


def _currency(code: str) -> str:
    try:
        exponent_of(code)
    except UnknownCurrency as error:
        raise PydanticCustomError("currency", "{why}", {"why": str(error)}) from None
    return code


def _clean(text: str) -> str:
    if not is_clean(text):
        raise PydanticCustomError("clean", "must be one line of visible characters")
    return text


def _metadata(pairs: dict[str, str]) -> dict[str, str]:
    if len(pairs) > METADATA_PAIRS:
        raise PydanticCustomError("metadata", f"has more than {METADATA_PAIRS} pairs")
    size = len(json.dumps(pairs, ensure_ascii=False, separators=(",", ":")).encode())
    if size > METADATA_BYTES:
        raise PydanticCustomError("metadata", f"is larger than {METADATA_BYTES} bytes of JSON")
    return pairs


_AMOUNT_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": r"^[0-9]{1,17}(\.[0-9]+)?$"},
    ],
    "description": "Major units. A number is read losslessly; its value counts, not its spelling.",
    "examples": ["100.00", 100.5],
}
_SIGNED_SCHEMA: Final[dict[str, Any]] = {
    "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^-?[0-9]{1,17}(\.[0-9]+)?$"}],
    "description": "Major units; negative is an overdraft.",
    "examples": ["0.00", "-500.00"],
}
_MOMENT_SCHEMA: Final[dict[str, Any]] = {
    "type": "string",
    "format": "date-time",
    "examples": ["2030-03-24T10:00:00Z"],
}

Amount = Annotated[Decimal, PlainValidator(_amount), WithJsonSchema(_AMOUNT_SCHEMA)]
SignedAmount = Annotated[Decimal, PlainValidator(_signed_amount), WithJsonSchema(_SIGNED_SCHEMA)]
Moment = Annotated[datetime, PlainValidator(_moment), WithJsonSchema(_MOMENT_SCHEMA)]
Currency = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Z]{3}$"),
    AfterValidator(_currency),
    Field(description="ISO 4217", examples=["ZAR"]),
]
Metadata = Annotated[
    dict[str, str],
    AfterValidator(_metadata),
    Field(
        description=f"At most {METADATA_BYTES} bytes of JSON.",
        json_schema_extra={"maxProperties": METADATA_PAIRS},
        examples=[{"channel": "app"}],
    ),
]
WalletKey = Annotated[
    str,
    StringConstraints(
        min_length=commands.WALLET_KEY_LENGTH[0], max_length=commands.WALLET_KEY_LENGTH[1]
    ),
]
TransferKey = Annotated[
    str,
    StringConstraints(
        min_length=commands.TRANSFER_KEY_LENGTH[0], max_length=commands.TRANSFER_KEY_LENGTH[1]
    ),
]
ReservationKey = Annotated[
    str,
    StringConstraints(
        min_length=commands.RESERVATION_KEY_LENGTH[0],
        max_length=commands.RESERVATION_KEY_LENGTH[1],
    ),
]
SessionId = Annotated[
    str,
    StringConstraints(min_length=commands.SESSION_LENGTH[0], max_length=commands.SESSION_LENGTH[1]),
]
Description = Annotated[str, StringConstraints(max_length=commands.DESCRIPTION_LENGTH)]
ExternalId = Annotated[str, StringConstraints(min_length=1, max_length=commands.EXTERNAL_ID_LENGTH)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=commands.NAME_LENGTH)]
DiscardReason = Annotated[
    str,
    StringConstraints(
        min_length=commands.DISCARD_REASON_LENGTH[0],
        max_length=commands.DISCARD_REASON_LENGTH[1],
        pattern=r"\S",
    ),
]
#: A wallet as a body names it: any text of sane length is a name, known or not.
WalletName = Annotated[str, StringConstraints(min_length=1, max_length=LONGEST_ID)]
#: For texts that others read: on a statement, a terminal, paper.
Clean: Final = AfterValidator(_clean)
