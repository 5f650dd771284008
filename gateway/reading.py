"""From the bytes of a body to a document that is safe to look at.

Numbers are read losslessly; what JSON allows and the books cannot hold, or two readers could
understand differently, is refused here with a pointer to it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, Final, NoReturn

from starlette.requests import ClientDisconnect

from gateway.call import Call
from gateway.problems import GatewayCode, Refusal, invalid
from gateway.texts import escape, is_storable

BODY_LIMIT: Final = 64 * 1024
GROUP_LIMIT: Final = 256 * 1024

#: No body of ours nests deeper than a group's metadata; far below the parser's own recursion limit.
_DEEPEST: Final = 32
_LONG_NUMBER: Final = 40
_ESCAPED: Final = b"\\u"
_MEDIA_TYPE: Final = re.compile(r"application/(?:json|[a-z0-9!#$&^_.-]+\+json)", re.ASCII)
_LONGEST_MEDIA_TYPE: Final = 200


async def read_document(call: Call, limit: int = BODY_LIMIT) -> dict[str, Any]:
    """The body as an object. Raises ``Refusal``; reads no more than ``limit`` bytes of it."""
    _require_json(call)
    return parse_document(await _read(call, limit))


def parse_document(body: bytes) -> dict[str, Any]:
    """The object in ``body``. Raises ``Refusal``."""
    try:
        document = _decoder.decode(body.decode())
    except UnicodeDecodeError:
        raise invalid("is not UTF-8", "") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise invalid(f"is not JSON: {error.msg} ({where})", "") from None
    except RecursionError:
        raise invalid("is nested too deeply", "") from None
    if not isinstance(document, dict):
        raise invalid("must be a JSON object", "")
    if _ESCAPED in body:
        for pointer, text in _texts(document, "", _DEEPEST):
            _require_storable(text, pointer)
    return document


def is_json(media_type: bytes) -> bool:
    """Whether a Content-Type is JSON in UTF-8, the only encoding JSON has (RFC 8259)."""
    if media_type == b"application/json":
        return True
    return len(media_type) <= _LONGEST_MEDIA_TYPE and _is_json(media_type)


@lru_cache(maxsize=256)  # callers have few spellings, and each says the same every time
def _is_json(media_type: bytes) -> bool:
    name, *parameters = media_type.decode("latin-1").lower().split(";")
    return bool(_MEDIA_TYPE.fullmatch(name.strip())) and all(map(_is_harmless, parameters))


def _is_harmless(parameter: str) -> bool:
    """Whether it says nothing, or what is true anyway."""
    name, _, value = parameter.partition("=")
    return not parameter.strip() or (name.strip(), value.strip().strip('"')) == ("charset", "utf-8")


def _require_json(call: Call) -> None:
    value = call.field(b"content-type")
    if value is None or not is_json(value):
        raise Refusal(
            GatewayCode.UNSUPPORTED_MEDIA_TYPE,
            "the body must be application/json in UTF-8",
            headers=[(b"accept-post", b"application/json")],
        )


async def _read(call: Call, limit: int) -> bytes:
    """No deadline here: the server ends connections whose request does not arrive in time."""
    announced = call.field(b"content-length")
    if announced is not None and announced.isdigit() and int(announced[:20]) > limit:
        raise _too_large(limit)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await call.receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _too_large(limit: int) -> Refusal:
    return Refusal(GatewayCode.PAYLOAD_TOO_LARGE, f"the body is larger than {limit // 1024} KiB")


def _texts(value: object, pointer: str, deeper: int) -> Iterator[tuple[str, str]]:
    """Every string in the document with its place, names of members included."""
    if isinstance(value, str):
        yield pointer, value
    elif deeper == 0 and isinstance(value, dict | list):
        raise invalid("is nested too deeply", "")
    elif isinstance(value, dict):
        for name, member in value.items():
            yield pointer, name
            yield from _texts(member, f"{pointer}/{escape(name)}", deeper - 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _texts(item, f"{pointer}/{index}", deeper - 1)


def _require_storable(text: str, pointer: str) -> None:
    if not is_storable(text):
        raise invalid("holds NUL or half of a surrogate pair", pointer)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        # Readers differ on which of them counts; with money that is not to be guessed.
        raise invalid("has an object that names a member twice", "")
    return document


def _integer(text: str) -> int | Decimal:
    # Python refuses to read integers of more than 4300 digits, with an exception of its own.
    return int(text) if len(text) <= _LONG_NUMBER else _decimal(text)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation:  # an exponent of dozens of digits: out of every range
        return Decimal("Infinity")


def _refuse_constant(name: str) -> NoReturn:
    raise invalid(f"is not JSON: {name}", "")


_decoder: Final = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_decimal,
    parse_constant=_refuse_constant,
    object_pairs_hook=_unique,
)
