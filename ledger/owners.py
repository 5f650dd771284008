"""Who stands behind keys. A name is one person's, however it is spelt: where two people have
to agree, no second one may be made of blanks and capitals."""

from __future__ import annotations

import unicodedata
from functools import lru_cache


class UnusableOwner(ValueError):
    """Nobody is called that; the text says why."""


def is_same_owner(one: str, other: str) -> bool:
    """Whether both are one person: case, width, further blanks and what cannot be seen do not
    count."""
    return plain(one) == plain(other)


def kept_owner(given: str) -> str:
    """As a key keeps it: the spelling is the giver's, but for blanks. Raises ``UnusableOwner``."""
    owner = " ".join(given.split())
    if not owner:
        raise UnusableOwner("an owner has a name")
    if not owner.isprintable():
        raise UnusableOwner("an owner's name holds nothing that cannot be seen")
    return owner


@lru_cache(maxsize=10_000)
def plain(owner: str) -> str:
    """The same for all spellings of a name."""
    folded = unicodedata.normalize("NFKC", owner).casefold()
    seen = "".join(c if c.isprintable() else " " if c.isspace() else "" for c in folded)
    # Folding may take a character apart, and what could not be seen may have kept two apart.
    return unicodedata.normalize("NFKC", " ".join(seen.split()))
