"""Command ids: opaque outside, and enough for any gateway to answer for a command it never saw.

16 bytes: deadline in milliseconds (6), layout (1), partition (1), random (8). The books keep these
as a uuid. Outside, six bytes of HMAC follow, so that made-up ids are told from real ones, and the
whole is written in base32. The deadline stands first: ids of a time are neighbours in the index.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from uuid import UUID

_TOKEN_LENGTH: Final = 36
_MAC_LENGTH: Final = 6
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
#: RFC 4648 base32 in lower case, two characters (ten bits) at a time: the library's own encoder
#: takes three times as long, and every answer to a write carries a token.
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz234567"
_PAIRS: Final = tuple(first + second for first in _ALPHABET for second in _ALPHABET)
_SHIFTS: Final = tuple(range(170, -1, -10))
_PADDING_BITS: Final = 4


class InvalidCommandId(ValueError):
    """Not an id that this installation ever gave out."""


@dataclass(frozen=True, slots=True)
class CommandAddress:
    """What a command id says: where its outcome is, or will be by the deadline."""

    command_id: UUID
    layout: int
    partition: int
    deadline: datetime


def new_command_id(layout: int, partition: int, deadline: datetime) -> UUID:
    """An id for a command of this partition; ``deadline`` in whole milliseconds."""
    unique = random.randbytes(8)  # noqa: S311  the token's MAC keeps ids from being made up
    return command_id_of(layout, partition, deadline, unique)


def command_id_of(layout: int, partition: int, deadline: datetime, unique: bytes) -> UUID:
    """The id with these parts; ``unique`` is 8 bytes, so that a producer can repeat itself."""
    return UUID(bytes=_address(layout, partition, deadline) + unique)


@lru_cache(maxsize=256)
def _address(layout: int, partition: int, deadline: datetime) -> bytes:
    # The same for all lines of a file that share a partition.
    millis = (deadline - _EPOCH) // _MILLISECOND
    return millis.to_bytes(6, "big") + bytes((layout, partition))


def whole_milliseconds(moment: datetime) -> datetime:
    """The moment as a command id can carry it."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


class CommandIds:
    """Turns ids into tokens and back, with the installation's secret."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._latest = (UUID(int=0), "")

    def token(self, command_id: UUID) -> str:
        # An answer names its command in the head and in the body.
        known, token = self._latest
        if known == command_id:
            return token
        raw = command_id.bytes
        bits = int.from_bytes(raw + self._mac(raw), "big") << _PADDING_BITS
        token = "".join([_PAIRS[bits >> shift & 1023] for shift in _SHIFTS])
        self._latest = (command_id, token)
        return token

    def parse(self, token: str) -> CommandAddress:
        """Raises ``InvalidCommandId``."""
        try:
            if len(token) != _TOKEN_LENGTH:
                raise InvalidCommandId(token)
            decoded = base64.b32decode(token.upper() + "====")
        except (binascii.Error, ValueError) as error:
            raise InvalidCommandId(token) from error
        raw, mac = decoded[:-_MAC_LENGTH], decoded[-_MAC_LENGTH:]
        if not hmac.compare_digest(mac, self._mac(raw)):
            raise InvalidCommandId(token)
        return CommandAddress(
            command_id=UUID(bytes=raw),
            layout=raw[6],
            partition=raw[7],
            deadline=_EPOCH + int.from_bytes(raw[:6], "big") * _MILLISECOND,
        )

    def _mac(self, raw: bytes) -> bytes:
        return hmac.digest(self._secret, raw, hashlib.sha256)[:_MAC_LENGTH]
