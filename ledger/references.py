"""The payment reference a person types into a bank app.

An ISO 11649 creditor reference: ``RF``, two check digits (ISO 7064 MOD 97-10: every single typing
error and every swap of neighbours is found), and nine random characters out of an alphabet without
look-alikes and without vowels, so that no reference spells a word. 13 characters fit every
statement field in use (South African EFT keeps 20).
"""

from __future__ import annotations

import secrets
from typing import Final

from stdnum import iso11649
from stdnum.iso7064 import mod_97_10

_ALPHABET: Final = "23456789BCDFGHJKMNPQRSTVWXZ"
_LENGTH: Final = 9
#: ``RF``, check digits, and the random part.
REFERENCE_LENGTH: Final = 4 + _LENGTH


def new_reference() -> str:
    """A fresh reference. Uniqueness is the books' to enforce (``wallets_reference_key``)."""
    body = "".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH))
    return f"RF{mod_97_10.calc_check_digits(body + 'RF')}{body}"


def is_reference(text: str) -> bool:
    """Whether the text, spaces and case forgiven, is a reference with correct check digits."""
    return bool(iso11649.is_valid(text))
