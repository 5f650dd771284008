"""Whose statement a file is: what it calls its account, against what we know of that. Pure."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Final

from bank.files.entries import FileInvalid

#: Fewer digits say nothing.
_TELLING: Final = 4
#: So many may also stand in the middle, with a check digit or a sub-account behind them.
_LONG: Final = 8
#: What banks write in place of digits that they do not show.
_MASK: Final = re.compile(r"[*#•]+|[Xx]{2,}")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{10,30}", re.ASCII)


def is_confirmed(named: str | None, known: Collection[str | None]) -> bool | None:
    """Whether the account that a file names is the one with these numbers and ids: None where it
    names none, False where there is nothing to hold against each other. Branch or bank may stand
    before a number, and zeros; of a number that is masked its end counts. Raises ``FileInvalid``
    where it is another account."""
    if named is None:
        return None
    shown = _shown(named)
    numbers = [each for each in map(_number, known) if len(each) >= _TELLING]
    if len(shown) < _TELLING or not numbers:
        return False
    if not any(_is_same(shown, each) for each in numbers):
        raise FileInvalid(f"it is of account {named!r}, and was handed in for another")
    return True


def _is_same(one: str, other: str) -> bool:
    shorter, longer = sorted((one, other), key=len)
    return longer.endswith(shorter) or (len(shorter) >= _LONG and shorter in longer)


def _shown(named: str) -> str:
    """The digits that a file shows of its account's number, to the end."""
    *masked, end = _MASK.split(named)
    return _digits(end) if masked else _digits(end).lstrip("0")


def _number(known: str | None) -> str:
    """The digits of a number; of an id with letters in it, which is a name, none."""
    compact = re.sub(r"[\s./-]", "", (known or "").upper())
    if not compact.isdigit() and not _IBAN.fullmatch(compact):
        return ""
    return _digits(compact).lstrip("0")


def _digits(text: str) -> str:
    return re.sub(r"[^0-9]", "", text, flags=re.ASCII)
