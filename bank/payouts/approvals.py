"""How many people have to agree, and who may. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum


@dataclass(frozen=True, slots=True)
class Tier:
    """From this amount on, in major units of the currency, so many people besides the maker."""

    amount_from: Decimal
    approvals: int


#: A payout needs one other person whatever it is; of R100,000 and more, two.
DEFAULT = (Tier(Decimal(0), 1), Tier(Decimal(100_000), 2))


class Objection(Enum):
    """Why somebody's word does not count."""

    MADE_IT = "MADE_IT"
    """The maker, or another key of the same owner: whoever may do both is one person."""
    HAS_SPOKEN = "HAS_SPOKEN"


@dataclass(frozen=True, slots=True)
class Person:
    """A key, and whose it is; two keys of one owner are one person."""

    key_id: str
    owner: str


def needed(amount: Decimal, tiers: Sequence[Tier]) -> int:
    """The highest tier that the amount reaches."""
    reached = [tier for tier in tiers if amount >= tier.amount_from]
    return max((tier.approvals for tier in reached), default=0)


def objection(maker: Person, spoken: Sequence[Person], now: Person) -> Objection | None:
    """None where the word counts. Being an operator is no exemption."""
    if now.owner == maker.owner:
        return Objection.MADE_IT
    if any(now.owner == other.owner for other in spoken):
        return Objection.HAS_SPOKEN
    return None
