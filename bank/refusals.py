"""Why a person's request about the bank side is not followed; values become problems at the
gateway.

BankRefusal
 ├─ NotThere     nothing of this id
 ├─ Conflict     it is not, or no longer, what the request takes it for
 ├─ NotAllowed   this person may not: the maker, or a key that nobody stands behind
 └─ NotValid     the request contradicts itself or the books
"""

from __future__ import annotations


class BankRefusal(Exception):
    """Not raised itself; the text is for the caller."""


class NotThere(BankRefusal):
    pass


class Conflict(BankRefusal):
    pass


class NotAllowed(BankRefusal):
    pass


class NotValid(BankRefusal):
    """``pointer`` names the member of the request."""

    def __init__(self, what: str, pointer: str = "") -> None:
        super().__init__(what)
        self.pointer = pointer
