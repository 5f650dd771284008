"""Whose money a deposit is: a ladder from certain to not at all. Pure.

    EXACT   the description is a payment reference, and nothing else
    INSIDE  a payment reference stands somewhere in it, with correct check digits
    ALIAS   words that somebody has allowed to stand for a wallet

A rung that finds two wallets ends the climb: two candidates are none. What no rung finds goes to
the suspense wallet. Case, spaces and punctuation are forgiven everywhere, a wrong check digit
nowhere (practice: Stripe's and Mollie's automatic modes take the exact reference alone).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from enum import Enum
from typing import Final
from uuid import UUID

from ledger.references import REFERENCE_LENGTH, is_reference

_START: Final = "RF"
LONGEST_ALIAS: Final = 5
"""In words."""
_WORD: Final = re.compile(r"[A-Z0-9]+")


class Rung(Enum):
    EXACT = "EXACT"
    INSIDE = "INSIDE"
    ALIAS = "ALIAS"


class Unmatched(Enum):
    """Why a deposit is in suspense."""

    NOTHING_FOUND = "NOTHING_FOUND"
    SEVERAL_WALLETS = "SEVERAL_WALLETS"


@dataclass(frozen=True, slots=True)
class Match:
    wallet_id: UUID
    rung: Rung
    by: str
    """The reference or the alias."""


@dataclass(frozen=True, slots=True)
class Suspense:
    why: Unmatched
    candidates: tuple[UUID, ...] = ()


def plain(text: str) -> str:
    """What two spellings of the same reference have in common."""
    return "".join(words(text))


def references(description: str) -> Sequence[str]:
    """Whatever could be a payment reference: correct check digits are demanded, wallets are not
    looked up yet. In the order in which they stand there, each once."""
    text = plain(description)
    found = (
        text[at : at + REFERENCE_LENGTH]
        for at in range(len(text) - REFERENCE_LENGTH + 1)
        if text.startswith(_START, at)
    )
    return list(dict.fromkeys(each for each in found if is_reference(each)))


def aliases(description: str) -> Sequence[str]:
    """Whatever could be an alias: whole words alone, up to five together, plainly spelt."""
    found = words(description)
    return list(
        dict.fromkeys(
            "".join(found[first : first + count])
            for count in range(1, LONGEST_ALIAS + 1)
            for first in range(len(found) - count + 1)
        )
    )


def match(
    description: str, by_reference: Mapping[str, UUID], by_alias: Mapping[str, UUID]
) -> Match | Suspense:
    """Where the money belongs, given the wallets of ``references`` and ``aliases``."""
    named = {each: by_reference[each] for each in references(description) if each in by_reference}
    if named:
        text = plain(description)
        return _only(named, Rung.EXACT if text in named else Rung.INSIDE)
    meant = {each: by_alias[each] for each in aliases(description) if each in by_alias}
    if meant:
        return _only(meant, Rung.ALIAS)
    return Suspense(Unmatched.NOTHING_FOUND)


def _only(found: Mapping[str, UUID], rung: Rung) -> Match | Suspense:
    wallets: Set[UUID] = set(found.values())
    if len(wallets) > 1:
        return Suspense(Unmatched.SEVERAL_WALLETS, tuple(sorted(wallets)))
    by, wallet_id = next(iter(found.items()))
    return Match(wallet_id, rung, by)


def words(text: str) -> list[str]:
    """Plainly spelt: letters and digits alone, upper case."""
    # Full-width digits and the like are what they look like; accents are not letters of ours.
    return _WORD.findall(unicodedata.normalize("NFKC", text).upper())
