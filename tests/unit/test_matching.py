"""Deposits as people type them, and whose they are."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import hypothesis
import pytest
from hypothesis import strategies

from bank.matching import Match, Rung, Suspense, Unmatched, aliases, match, plain, references
from ledger.references import new_reference

ALICE, BOB = UUID(int=1), UUID(int=2)


@pytest.fixture(scope="module")
def names() -> tuple[str, str, str]:
    """Two references, and the first with another last character."""
    first, second = new_reference(), new_reference()
    last = "2" if first[-1] != "2" else "3"
    return first, second, first[:-1] + last


def found(description: str, names: tuple[str, str, str], **alias: UUID) -> Match | Suspense:
    first, second, _ = names
    return match(description, {first: ALICE, second: BOB}, alias)


SPELLINGS: list[Callable[[str], str]] = [
    str,
    str.lower,
    lambda reference: f"  {reference}\n",
    lambda reference: " ".join(reference[n : n + 4] for n in range(0, len(reference), 4)),
    "-".join,
]


@pytest.mark.parametrize("spelt", SPELLINGS)
def test_the_reference_alone(names: tuple[str, str, str], spelt: Callable[[str], str]) -> None:
    assert found(spelt(names[0]), names) == Match(ALICE, Rung.EXACT, names[0])


@pytest.mark.parametrize(
    "around", ["EFT {0}", "{0} rent may", "PAYMENT REF:{0}/FNB", "RFRF{0}", "from bob,{0}."]
)
def test_the_reference_among_other_words(names: tuple[str, str, str], around: str) -> None:
    assert found(around.format(names[0].lower()), names) == Match(ALICE, Rung.INSIDE, names[0])


def test_a_wrong_character_is_no_reference(names: tuple[str, str, str]) -> None:
    assert found(names[2], names) == Suspense(Unmatched.NOTHING_FOUND)


def test_a_reference_that_nobody_has(names: tuple[str, str, str]) -> None:
    stranger = new_reference()
    assert references(stranger) == [stranger]
    assert found(stranger, names) == Suspense(Unmatched.NOTHING_FOUND)


def test_two_references_are_none(names: tuple[str, str, str]) -> None:
    both = f"{names[0]} {names[1]}"
    assert found(both, names) == Suspense(Unmatched.SEVERAL_WALLETS, (ALICE, BOB))


def test_the_same_reference_twice_is_one(names: tuple[str, str, str]) -> None:
    assert found(f"{names[0]} {names[0].lower()}", names) == Match(ALICE, Rung.INSIDE, names[0])


def test_an_alias_is_whole_words(names: tuple[str, str, str]) -> None:
    known = {plain("082 555 0101"): ALICE, plain("Acme Ltd"): BOB}
    assert match("cash 0825550101", {}, known) == Match(ALICE, Rung.ALIAS, "0825550101")
    assert match("from Acme, Ltd. (may)", {}, known) == Match(BOB, Rung.ALIAS, "ACMELTD")
    assert match("10825550101", {}, known) == Suspense(Unmatched.NOTHING_FOUND)
    both = match("acme ltd 0825550101", {}, known)
    assert both == Suspense(Unmatched.SEVERAL_WALLETS, (ALICE, BOB))


def test_a_reference_counts_more_than_an_alias(names: tuple[str, str, str]) -> None:
    text = f"acme {names[0]}"
    assert match(text, {names[0]: ALICE}, {"ACME": BOB}) == Match(ALICE, Rung.INSIDE, names[0])


@hypothesis.given(strategies.text(max_size=60))
def test_whatever_is_typed_is_an_answer(text: str) -> None:
    assert match(text, {}, {}) == Suspense(Unmatched.NOTHING_FOUND)
    assert all(len(each) == 13 for each in references(text))
    assert len(aliases(text)) <= 5 * max(1, len(text))
