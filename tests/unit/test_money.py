"""Amounts and currencies."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.money import (
    InvalidAmount,
    UnknownCurrency,
    exponent_of,
    format_minor,
    parse_amount,
    to_minor,
)


@pytest.mark.parametrize(
    ("written", "minor"),
    [
        ("100.00", 10_000),
        ("0.01", 1),
        ("100.000", 10_000),
        (100, 10_000),
        (Decimal("1.0E7"), 1_000_000_000),
        (Decimal("1e-2"), 1),
        ("1.001", None),
        ("99999999999999999", 9_999_999_999_999_999_900),
        ("1." + "0" * 60_000, 100),
    ],
)
def test_the_value_counts_not_its_spelling(written: object, minor: int | None) -> None:
    assert to_minor(parse_amount(written), 2) == minor


@pytest.mark.parametrize(
    "written",
    [
        "1e30",
        "+1",
        "-1",
        " 1",
        "1 ",
        "1\n",
        "1.",
        ".5",
        "",
        "0x10",
        "1_000",
        "٣",
        "NaN",
        "Infinity",
        "100000000000000000",
        "0",
        "0.000",
        "0.00001",
        0,
        -1,
        True,
        1.5,
        None,
        [],
        10**17,
        10**4000,
        Decimal("NaN"),
        Decimal("Infinity"),
        Decimal("-1"),
        Decimal("1E+999999999"),
        Decimal("1E-999999999"),
        Decimal("0E+999999999"),
        "1." + "0" * 60_000 + "1",
    ],
    ids=lambda value: repr(value)[:24],
)
def test_what_is_no_amount(written: Any) -> None:
    with pytest.raises(InvalidAmount):
        parse_amount(written)


def test_a_minimum_may_be_negative_or_zero() -> None:
    assert parse_amount("-500.00", signed=True) == Decimal(-500)
    assert parse_amount(Decimal("-0.00"), signed=True) == Decimal(0)
    with pytest.raises(InvalidAmount):
        parse_amount("--5", signed=True)


@given(st.integers(-(10**20), 10**20), st.sampled_from([0, 2, 3, 4]))
def test_what_is_written_is_read_back(minor: int, digits: int) -> None:
    assert to_minor(Decimal(format_minor(minor, digits)), digits) == minor


@given(st.decimals(allow_nan=True, allow_infinity=True) | st.text() | st.integers())
def test_anything_is_an_amount_or_refused(written: object) -> None:
    try:
        amount = parse_amount(written)
    except InvalidAmount:
        return
    assert 0 < amount < 10**17
    assert to_minor(amount, 4) is not None


def test_currencies_have_the_digits_of_iso_4217() -> None:
    assert [exponent_of(c) for c in ("ZAR", "JPY", "BHD", "CLF")] == [2, 0, 3, 4]
    for wrong in ("XYZ", "zar", "XAU", "", "XTS"):
        with pytest.raises(UnknownCurrency):
            exponent_of(wrong)
