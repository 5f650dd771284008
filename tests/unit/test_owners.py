"""Two spellings of an owner are one person, whose word counts once."""

from __future__ import annotations

import pytest

from bank.payouts.approvals import Objection, Person, objection
from ledger.owners import UnusableOwner, is_same_owner, kept_owner

SPELLINGS = (
    "thandi nkosi",
    "THANDI NKOSI",
    " Thandi  Nkosi ",
    "Thandi\u00a0Nkosi",
    "Thandi\tNkosi",
    "Thandi\u200b Nkosi",
    "Ｔｈａｎｄｉ Nkosi",
)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_spelling_is_no_second_person(spelling: str) -> None:
    assert is_same_owner(spelling, "Thandi Nkosi")
    maker, ben = Person("k1", "Thandi Nkosi"), Person("k2", "ben")
    assert objection(maker, [], Person("k3", spelling)) is Objection.MADE_IT
    assert objection(ben, [maker], Person("k3", spelling)) is Objection.HAS_SPOKEN
    assert Person("k3", spelling).is_called(maker.owner)


@pytest.mark.parametrize(
    ("one", "other"),
    [("zoë", "ZOE\u0308"), ("Weiß", "WEISS"), ("e\u200b\u0301", "é")],
)
def test_letters_that_are_written_in_several_ways(one: str, other: str) -> None:
    assert is_same_owner(one, other)


@pytest.mark.parametrize("other", ["thandi", "thandinkosi", "thandi nkosi 2", "", "tandi nkosi"])
def test_others_are_others(other: str) -> None:
    assert not is_same_owner("Thandi Nkosi", other)
    assert objection(Person("k1", "Thandi Nkosi"), [], Person("k2", other)) is None


def test_nobody_is_nobody() -> None:
    assert not Person("k1", "anna").is_called(None)


@pytest.mark.parametrize(
    ("given", "kept"), [("Thandi", "Thandi"), (" Thandi \t Nkosi\n", "Thandi Nkosi"), ("张", "张")]
)
def test_a_name_is_kept_as_it_was_given(given: str, kept: str) -> None:
    assert kept_owner(given) == kept


@pytest.mark.parametrize("given", ["", " \t", "\u200b", "Thandi\x1b[2J", "\u202eidnahT"])
def test_what_nobody_is_called(given: str) -> None:
    with pytest.raises(UnusableOwner):
        kept_owner(given)
