"""By what a payout's row is found again. Pure.

A statement's row has no reference of its own, only a description of 40 characters that the bank
makes of ours and perhaps of other words, and cuts. So the reference is short, stands first in what
we send, and carries check digits (ISO 7064 MOD 97-10): what looks like one and is none belongs to
somebody else.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Sequence
from typing import Final

from stdnum.iso7064 import mod_97_10

from bank.matching import plain

_START: Final = "PO"
_ALPHABET: Final = "23456789BCDFGHJKMNPQRSTVWXZ"
_BODY: Final = 10
_LONG_WORD: Final = re.compile(r"[A-Z]+[0-9]{6,}")
#: ``PO``, check digits, and the random part. What the bank takes for one is at most 20 (assumed).
LENGTH: Final = len(_START) + 2 + _BODY


def new_reference() -> str:
    """A fresh one. Uniqueness is the database's to enforce (``payouts_my_reference_key``)."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_BODY))
    return f"{_START}{mod_97_10.calc_check_digits(body + _START)}{body}"


def is_reference(text: str) -> bool:
    """Whether it is one, check digits and all."""
    start, check, body = text[:2], text[2:4], text[4:]
    if start != _START or len(text) != LENGTH or not check.isdigit():
        return False
    return set(body) <= set(_ALPHABET) and bool(mod_97_10.is_valid(body + start + check))


def bank_references(description: str) -> Sequence[str]:
    """Words that may be the bank's own reference, which it gave us when it took a payment in: rows
    of money that comes back may carry that one instead of ours."""
    return list(dict.fromkeys(_LONG_WORD.findall(description.upper())))


def references(description: str) -> Sequence[str]:
    """Those that stand in a description, however it is spelt, each once."""
    text = plain(description)
    found = (
        text[at : at + LENGTH]
        for at in range(len(text) - LENGTH + 1)
        if text.startswith(_START, at)
    )
    return list(dict.fromkeys(each for each in found if is_reference(each)))
