"""Ids and idempotency keys as callers write them."""

from __future__ import annotations

import re
from typing import Final
from uuid import UUID

from gateway.call import Call
from gateway.problems import AnyCode, GatewayCode, Refusal, invalid
from gateway.texts import is_storable
from ledger.rejections import Code

_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII | re.IGNORECASE)
# https://www.rfc-editor.org/rfc/rfc9651#name-parsing-a-string; parameters after it mean nothing.
_QUOTED: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"(?:\s*;.*)?')
_HEADER: Final = "Idempotency-Key"


def parse_id(text: str) -> UUID | None:
    """The id, or None for any text that is none: to a caller ids are opaque."""
    return UUID(text) if _UUID.fullmatch(text) else None


def path_id(call: Call, name: str, code: AnyCode, noun: str) -> UUID:
    """The id in the path. Raises ``Refusal`` with ``code`` for what cannot be one."""
    text = call.segment(name)
    found = parse_id(text)
    if found is None:
        raise not_found(code, noun, text)
    return found


def wallet_id_of(call: Call) -> UUID:
    """The wallet in the path. Raises ``Refusal``."""
    return path_id(call, "walletId", Code.WALLET_NOT_FOUND, "wallet")


def not_found(code: AnyCode, noun: str, text: object) -> Refusal:
    shown = str(text)[:60].encode("ascii", "backslashreplace").decode()
    return Refusal(code, f"there is no {noun} {shown}")


def idempotency_key(call: Call, in_body: str | None, lengths: tuple[int, int]) -> str:
    """The key, from the body or the header. Raises ``Refusal`` where there is none."""
    key = optional_key(call, in_body, lengths)
    if key is None:
        raise invalid(
            f"is required, or the {_HEADER} header instead",
            "/externalUniqueId",
            code=GatewayCode.IDEMPOTENCY_KEY_MISSING,
        )
    return key


def optional_key(call: Call, in_body: str | None, lengths: tuple[int, int]) -> str | None:
    """The same, where a key may be left out. The body's was validated with it."""
    header = call.field(b"idempotency-key")
    if not header:
        return in_body
    key = _parse_key(header)
    if in_body is not None:
        if in_body != key:
            raise Refusal(
                GatewayCode.IDEMPOTENCY_KEY_MISSING,
                f"externalUniqueId and the {_HEADER} header differ: which of them counts?",
            )
        return in_body
    shortest, longest = lengths
    if not shortest <= len(key) <= longest:
        raise _invalid_header(f"must have {shortest} to {longest} characters")
    return key


def wallet_not_found(wallet_id: UUID) -> Refusal:
    return not_found(Code.WALLET_NOT_FOUND, "wallet", wallet_id)


def _parse_key(header: bytes) -> str:
    try:
        text = header.decode().strip()
    except UnicodeDecodeError:
        raise _invalid_header("is not UTF-8") from None
    if text.startswith('"'):
        match = _QUOTED.fullmatch(text)
        if match is None:
            raise _invalid_header("starts with a quote and is not a quoted string")
        text = re.sub(r"\\(.)", r"\1", match[1])
    if not is_storable(text):
        raise _invalid_header("holds NUL")
    return text


def _invalid_header(detail: str) -> Refusal:
    return Refusal(
        Code.INVALID_REQUEST,
        f"{_HEADER} {detail}",
        errors=[{"detail": detail, "header": _HEADER}],
    )
