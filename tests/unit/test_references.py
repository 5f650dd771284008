"""Payment references survive being typed, or are recognised as mistyped."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ledger.references import is_reference, new_reference

REFERENCE = "RF25XQK6PD69X"


def test_a_new_one_is_short_upper_case_and_valid() -> None:
    reference = new_reference()
    assert len(reference) == 13
    assert reference == reference.upper()
    assert is_reference(reference)
    assert new_reference() != reference


def test_spaces_and_case_are_forgiven() -> None:
    assert is_reference("rf25 xqk6 pd69 x")


@given(st.integers(2, 12), st.sampled_from("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
def test_one_wrong_character_is_found(position: int, character: str) -> None:
    typed = REFERENCE[:position] + character + REFERENCE[position + 1 :]
    assert is_reference(typed) == (typed == REFERENCE)


@given(st.integers(4, 11))
def test_two_swapped_characters_are_found(position: int) -> None:
    swapped = REFERENCE[position + 1] + REFERENCE[position]
    typed = REFERENCE[:position] + swapped + REFERENCE[position + 2 :]
    assert is_reference(typed) == (typed == REFERENCE)
