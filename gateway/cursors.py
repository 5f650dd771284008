"""Where a list goes on: opaque, and good for the same question only."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Final
from uuid import UUID

from gateway.identifiers import parse_id
from gateway.parameters import CURSOR, Query, invalid_parameter
from gateway.problems import Refusal
from topology.documents import Document

_HASH_SIZE: Final = 6
_LONGEST: Final = 200
_NUMBER: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


class Cursor:
    """The cursors of one question: a route together with the filters it was asked with.

    Not a secret and not signed: a made-up cursor reaches nothing that the same key could not ask
    for without one.
    """

    def __init__(self, *question: object) -> None:
        text = repr([str(part) for part in question]).encode()
        self._mark = hashlib.blake2b(text, digest_size=_HASH_SIZE).digest()

    def read(self, query: Query) -> str | None:
        """The position in the query's cursor; None on the first page. Raises ``Refusal``."""
        text = query.text(CURSOR.name, 1, _LONGEST)
        if text is None:
            return None
        try:
            raw = base64.b64decode(text.encode("ascii"), altchars=b"-_", validate=True)
            mark, position = raw[:_HASH_SIZE], raw[_HASH_SIZE:].decode("ascii")
        except (binascii.Error, ValueError):
            raise unusable() from None
        if mark != self._mark:
            raise unusable()
        return position

    def write(self, position: object) -> str:
        return base64.urlsafe_b64encode(self._mark + str(position).encode("ascii")).decode()

    def page(self, items: list[Document], position: object | None) -> Document:
        """A list's document; ``position`` is where it goes on, None where it ends."""
        following = None if position is None else self.write(position)
        return {"items": items, "nextCursor": following}


def unusable() -> Refusal:
    return invalid_parameter(CURSOR.name, "is not a cursor of this list with these filters")


def position_id(position: str) -> UUID:
    """An id that a list goes on after. Raises ``Refusal``."""
    found = parse_id(position)
    if found is None:
        raise unusable()
    return found


def position_number(position: str) -> int:
    """A number that a list goes on from. Raises ``Refusal``."""
    if not _NUMBER.fullmatch(position):
        raise unusable()
    return int(position)
