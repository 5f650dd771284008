"""From the values of one line to the command that it asks for.

The limits are the ledger's own (``ledger.commands``): a line that passes makes a command that every
consumer can read, which matters because a hundred lines share a message.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Final
from uuid import UUID

import msgspec

from ledger import commands
from ledger.commands import CreateWallet, PostTransfer, WalletRef
from ledger.money import InvalidAmount, UnknownCurrency, exponent_of, parse_amount
from ledger.rejections import Code
from ledger.staged import Flaw, StagedLine
from producers.bulk.unpacking import LINE_LIMIT

#: One per column, in the order in which these are named below; None or empty where there is none.
Values = Sequence[str | None]
Metadata = Mapping[str, str]
Make = Callable[[Values, Metadata], PostTransfer | CreateWallet]

TRANSFER_COLUMNS: Final = (
    *("fromWalletId", "fromExternalUniqueId", "toWalletId", "toExternalUniqueId"),
    *("amount", "externalUniqueId", "currency", "description", "externalId", "sessionId"),
)
WALLET_COLUMNS: Final = ("externalUniqueId", "currency", "name")

TOO_LONG: Final = f"the line has more than {LINE_LIMIT} characters"

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
_METADATA_PAIRS: Final = 20
_METADATA_BYTES: Final = 2048
_LONGEST_NAME: Final = 100
_LONGEST_DETAIL: Final = 300


class Flawed(Exception):
    """The line is no command; the text says which column and why."""

    def __init__(self, column: str, what: str, code: Code = Code.INVALID_REQUEST) -> None:
        super().__init__(f"{column}: {what}" if column else what)
        self.code = code


def transfer_of(values: Values, metadata: Metadata) -> PostTransfer:
    """Raises ``Flawed``."""
    from_id, from_name, to_id, to_name, amount, key, *rest = values
    if not amount:
        raise Flawed("amount", "is required", Code.INVALID_AMOUNT)
    source, target = _side("from", from_id, from_name), _side("to", to_id, to_name)
    value = _amount(amount)
    unique = _required("externalUniqueId", key, commands.TRANSFER_KEY_LENGTH)
    if not metadata and not any(rest):
        return PostTransfer(source, target, value, unique)
    currency, description, external_id, session_id = rest
    return PostTransfer(
        source,
        target,
        value,
        unique,
        _currency(currency) if currency else None,
        _optional("sessionId", session_id, commands.SESSION_LENGTH),
        _optional("externalId", external_id, (1, commands.EXTERNAL_ID_LENGTH)),
        _optional("description", description, (0, commands.DESCRIPTION_LENGTH)),
        _metadata(metadata) if metadata else {},
    )


def with_source(values: Values, from_wallet: str) -> Values:
    """A transfer's values, from the file's own debit wallet where they name none."""
    from_id, from_name, *others = values
    return values if from_id or from_name else (from_wallet, None, *others)


def wallet_of(values: Values, metadata: Metadata) -> CreateWallet:
    """STANDARD wallets without an overdraft: the others are an operator's to make. Raises
    ``Flawed``."""
    key, currency, name = values
    if not currency:
        raise Flawed("currency", "is required")
    return CreateWallet(
        external_unique_id=_required("externalUniqueId", key, commands.WALLET_KEY_LENGTH),
        currency=_currency(currency),
        name=_optional("name", name, (1, commands.NAME_LENGTH)),
        metadata=_metadata(metadata) if metadata else {},
    )


def _side(side: str, wallet_id: str | None, external_id: str | None) -> WalletRef:
    if wallet_id:
        if external_id:
            raise Flawed(f"{side}ExternalUniqueId", f"must be empty where {side}WalletId is not")
        return _by_id(wallet_id)
    if not external_id:
        raise Flawed(f"{side}WalletId", f"is required, or {side}ExternalUniqueId instead")
    if len(external_id) > _LONGEST_NAME:
        raise Flawed(f"{side}ExternalUniqueId", f"must have at most {_LONGEST_NAME} characters")
    return WalletRef(None, external_id)


@lru_cache(maxsize=20_000)
def _by_id(text: str) -> WalletRef:
    """To callers ids are opaque: what is no id of ours names a wallet that does not exist, which is
    for the ledger to say. No wallet has a name as short as what stands in for it."""
    if _UUID.fullmatch(text):
        return WalletRef(UUID(text))
    shortest, _ = commands.WALLET_KEY_LENGTH
    return WalletRef(None, text if len(text) < shortest else f"{text[: shortest - 2]}…")


@lru_cache(maxsize=20_000)
def _parsed(text: str) -> Decimal:
    return parse_amount(text)


def _amount(text: str) -> Decimal:
    try:
        return _parsed(text)
    except InvalidAmount as error:
        raise Flawed("amount", str(error), Code.INVALID_AMOUNT) from None


@lru_cache(maxsize=500)
def _known_currency(code: str) -> str:
    exponent_of(code)
    return code


def _currency(code: str) -> str:
    try:
        return _known_currency(code)
    except UnknownCurrency as error:
        raise Flawed("currency", str(error)[:200]) from None


def _required(column: str, text: str | None, lengths: tuple[int, int]) -> str:
    if not text:
        raise Flawed(column, "is required")
    return _bounded(column, text, lengths)


def _optional(column: str, text: str | None, lengths: tuple[int, int]) -> str | None:
    return _bounded(column, text, lengths) if text else None


def _bounded(column: str, text: str, lengths: tuple[int, int]) -> str:
    shortest, longest = lengths
    if not shortest <= len(text) <= longest:
        raise Flawed(column, f"must have {shortest} to {longest} characters")
    return text


def _metadata(pairs: Metadata) -> dict[str, str]:
    if len(pairs) > _METADATA_PAIRS:
        raise Flawed("metadata", f"has more than {_METADATA_PAIRS} pairs")
    if len(msgspec.json.encode(pairs)) > _METADATA_BYTES:
        raise Flawed("metadata", f"is larger than {_METADATA_BYTES} bytes of JSON")
    return dict(pairs)


def flawed_line(number: int, flaw: Flawed, key: str | None = None) -> StagedLine:
    detail = str(flaw)[:_LONGEST_DETAIL]
    shown = key[:200].replace("\0", "") if key else None
    return StagedLine(number, None, Flaw(flaw.code.value, detail, shown))
