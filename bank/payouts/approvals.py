"""How many people have to agree, and who may. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from typing import Final

from ledger.owners import is_same_owner

_TIER: Final = re.compile(r"([0-9]{1,15}(?:\.[0-9]{1,4})?):([0-9]{1,2})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Tier:
    """From this amount on, in major units of the currency, so many people besides the maker."""

    amount_from: Decimal
    approvals: int


#: A payout needs one other person whatever it is; of R100,000 and more, two.
DEFAULT: Final = "0:1,100000:2"


class Objection(Enum):
    """Why somebody's word does not count."""

    MADE_IT = "MADE_IT"
    """The maker, or another key of the same owner: whoever may do both is one person."""
    HAS_SPOKEN = "HAS_SPOKEN"


@dataclass(frozen=True, slots=True)
class Person:
    """A key, and whose it is; two keys of one owner are one person, however each is spelt."""

    key_id: str
    owner: str

    def is_called(self, owner: str | None) -> bool:
        """Whether whoever said or asked for something before is this very person."""
        return owner is not None and is_same_owner(owner, self.owner)


def tiers(text: str) -> tuple[Tier, ...]:
    """Read ``0:1,100000:2``: from nothing on one, from 100000 on two. Raises ``ValueError``."""
    found = []
    for part in text.split(","):
        match = _TIER.fullmatch(part.strip())
        if match is None:
            raise ValueError(f"{part.strip()!r} is no tier: AMOUNT:PEOPLE, such as 100000:2")
        found.append(Tier(Decimal(match[1]), int(match[2])))
    if not any(tier.amount_from == 0 for tier in found):
        raise ValueError("the tiers have to say how many approve the smallest amount: 0:PEOPLE")
    return tuple(found)


def needed(amount: Decimal, tiers: Sequence[Tier]) -> int:
    """The most that any tier asks for which the amount reaches."""
    reached = [tier.approvals for tier in tiers if amount >= tier.amount_from]
    return max(reached, default=0)


def objection(maker: Person, spoken: Sequence[Person], now: Person) -> Objection | None:
    """None where the word counts. Being an operator is no exemption."""
    if now.is_called(maker.owner):
        return Objection.MADE_IT
    if any(now.is_called(other.owner) for other in spoken):
        return Objection.HAS_SPOKEN
    return None
