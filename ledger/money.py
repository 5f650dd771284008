"""Amounts and currencies.

Inside, money is an ``int`` of minor units (cents); outside, a decimal in major units. A float never
takes part. The digits of a currency are those of ISO 4217, from the ``iso4217`` package.
"""

from __future__ import annotations

import functools
import re
from decimal import Decimal
from typing import Final

from iso4217 import Currency

#: Largest amount and largest balance, either side of zero, in minor units. Far inside bigint, so
#: that a sum of many limits still fits.
LIMIT_MINOR: Final = 9 * 10**16

_MAJOR_DIGITS: Final = 17
_MOST_EXPONENT: Final = 4  # no currency of ISO 4217 has more digits (CLF, UYW)
_TEXT: Final = re.compile(r"[0-9]{1,17}(\.[0-9]+)?", re.ASCII)


class InvalidAmount(ValueError):
    """Not an amount of money; the text says what an amount looks like."""


class UnknownCurrency(ValueError):
    """Not an active ISO 4217 currency that amounts can be held in."""


@functools.cache
def _exponents() -> dict[str, int]:
    return {c.code: c.exponent for c in Currency if c.exponent is not None}


def exponent_of(currency: str) -> int:
    """The number of digits after the decimal point: 2 for ZAR, 0 for JPY, 3 for BHD.

    Raises ``UnknownCurrency`` for codes that ISO 4217 does not have, and for those without minor
    units (gold, the testing code).
    """
    try:
        return _exponents()[currency]
    except KeyError:
        raise UnknownCurrency(
            f"{currency!r} is not an ISO 4217 currency code with minor units"
        ) from None


def parse_amount(value: object, *, signed: bool = False) -> Decimal:
    """An amount as a caller wrote it: a JSON number (int or Decimal) or a decimal string.

    The value counts, not its spelling: ``1.0E7`` and ``100.000`` are fine where the currency has
    two digits. Zero, and unless ``signed`` also less than zero, is refused. Whether the currency
    has enough digits is for ``to_minor`` to say. Raises ``InvalidAmount``.
    """
    if isinstance(value, bool):
        raise InvalidAmount("must be a number or a decimal string, not a boolean")
    if isinstance(value, str):
        text = value.removeprefix("-") if signed else value
        if not _TEXT.fullmatch(text):
            raise InvalidAmount('a string amount looks like "100.00": digits, a point, digits')
        amount = Decimal(value)
    elif isinstance(value, int | Decimal):
        amount = Decimal(value)
    else:
        raise InvalidAmount("must be a number or a decimal string")
    return _bounded(amount, signed)


def _bounded(amount: Decimal, signed: bool) -> Decimal:
    """The amount without trailing zeros, once it is known to be of sane size."""
    # The exponent is looked at before the number is used: 1E+999999999 would fill the memory.
    if not amount.is_finite() or amount.adjusted() >= _MAJOR_DIGITS:
        raise InvalidAmount(f"must have at most {_MAJOR_DIGITS} digits before the decimal point")
    if amount <= 0 and not signed:
        raise InvalidAmount("must be greater than zero")
    if not amount:
        return Decimal(0)
    if amount.adjusted() < -_MOST_EXPONENT:
        raise InvalidAmount("has more decimal places than any currency")
    major, _, fraction = format(amount, "f").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _MOST_EXPONENT:
        raise InvalidAmount("has more decimal places than any currency")
    return Decimal(f"{major}.{fraction}")


def to_minor(amount: Decimal, exponent: int) -> int | None:
    """The amount in minor units, or None where it is finer than the currency."""
    scaled = amount.scaleb(exponent)
    minor = int(scaled)
    return minor if minor == scaled else None


def format_minor(minor: int, exponent: int) -> str:
    """Minor units as a decimal string with the currency's digits: 10050, 2 -> "100.50"."""
    if exponent == 0:
        return str(minor)
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"
