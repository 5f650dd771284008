"""MT940 as banks write it: money that goes back, several statements in one file, entries that are
easily lost."""

from __future__ import annotations

from datetime import date

import pytest

from bank.files.contents import Contents
from bank.files.formats import FileInvalid, read

RENT = ":61:2611021102C250,00NTRFNONREF//B1", ":86:RF18 5390 0754 7034 RENT"
FEE = ":61:2611031103D20,50NCHGNONREF//B2", ":86:MONTHLY FEE"
BACK = ":61:2611041104RC250,00NTRFNONREF//B3", ":86:RF18 5390 0754 7034 RENT"


def statement(opening: str, closing: str, *lines: str) -> str:
    """With balances like ``C261101ZAR1000,00``."""
    head = (":20:STARTUMS", ":25:1234567", ":28C:1/1")
    return "\n".join((*head, f":60F:{opening}", *lines, f":62F:{closing}", "-", ""))


FIRST = statement("C261101ZAR1000,00", "C261102ZAR1250,00", *RENT)
SECOND = statement("C261102ZAR1250,00", "C261103ZAR1229,50", *FEE)
THIRD = statement("C261103ZAR1229,50", "C261104ZAR979,50", *BACK)


def contents(text: str) -> Contents:
    return read("MT940", text.encode(), None, "ZAR", 2, date(2026, 11, 30))


def amounts(text: str) -> list[int]:
    return [line.signed_minor for line in contents(text).fetched.lines]


@pytest.mark.parametrize(
    ("mark", "minor"),
    [("C", 250_00), ("RD", 250_00), ("D", -250_00), ("RC", -250_00)],
)
def test_a_credit_that_is_taken_back_is_a_debit(mark: str, minor: int) -> None:
    """``R`` is a reversal: ``RC`` takes a credit back, ``RD`` a debit."""
    closing = f"C261102ZAR{1000 + minor // 100},00"
    for each in (mark, mark.lower()):
        entry = f":61:2611021102{each}250,00NTRFNONREF//B1"
        assert amounts(statement("C261101ZAR1000,00", closing, entry)) == [minor], each


def test_balances_may_be_marked_in_small_letters() -> None:
    assert amounts(statement("d261101ZAR100,00", "c261102ZAR150,00", *RENT)) == [250_00]


def test_a_reference_beside_a_structured_text_is_kept() -> None:
    fields = ":86:166?00CREDIT?20EREF+77?21SVWZ+RENT FOR MAY?32NAIDOO"
    entry = ":61:2611021102C250,00NTRFRF18539007547034//B1"
    text = statement("C261101ZAR0,", "C261102ZAR250,", entry, fields)
    (line,) = contents(text).fetched.lines
    assert "RENT FOR MAY" in line.description
    assert "RF18539007547034" in line.description.split()


def test_words_behind_a_closing_balance_are_no_entrys() -> None:
    text = FIRST.replace("\n-\n", "\n:86:DEAR CUSTOMER, WE ARE CLOSED ON FRIDAY\n-\n")
    assert text != FIRST
    (line,) = contents(text).fetched.lines
    assert line.description == "RF18 5390 0754 7034 RENT"


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
def test_statements_that_go_on_from_each_other_are_one(ends: str) -> None:
    found = contents((FIRST + SECOND + THIRD).replace("\n", ends))
    assert [(line.signed_minor, line.running_minor) for line in found.fetched.lines] == [
        (250_00, 1250_00),
        (-20_50, 1229_50),
        (-250_00, 979_50),
    ]
    assert (found.opening_minor, found.closing_minor) == (1000_00, 979_50)


@pytest.mark.parametrize(
    "text",
    [
        # In sum they add up, each by itself they do not.
        FIRST.replace("1250", "1150") + SECOND.replace("C261102ZAR1250", "C261102ZAR1150"),
        FIRST.replace("1250,00", "1250,01") + SECOND,
        FIRST + SECOND.replace("1229,50", "1229,51"),
    ],
)
def test_every_statement_of_a_file_has_to_add_up(text: str) -> None:
    with pytest.raises(FileInvalid, match="do not lead from its opening balance"):
        contents(text)


@pytest.mark.parametrize("text", [FIRST + THIRD, SECOND + FIRST, FIRST + FIRST])
def test_statements_have_to_go_on_from_each_other(text: str) -> None:
    with pytest.raises(FileInvalid, match="does not go on from the balance of the one before it"):
        contents(text)


def test_an_entry_that_the_next_one_would_replace_is_not_lost() -> None:
    """The library takes entries without a type for one."""
    twice = ":61:2611021102C250,00//B1", ":61:2611021102C250,00//B2"
    text = statement("C261102ZAR1250,00", "C261102ZAR1750,00", *twice)
    with pytest.raises(FileInvalid, match="entries without a type"):
        contents(FIRST + text)


@pytest.mark.parametrize("where", [":60F:", ":20:"])
def test_an_entry_outside_of_the_balances_is_refused(where: str) -> None:
    text = (FIRST + SECOND).replace(where, f"{FEE[0]}\n{where}")
    with pytest.raises(FileInvalid, match="outside of its balances"):
        contents(text)


@pytest.mark.parametrize(
    "text",
    [
        FIRST + SECOND.replace("ZAR", "USD"),
        FIRST.replace(":62F:", ":64:"),
        FIRST.replace("C261102ZAR1250,00", "1250,00"),
        FIRST.replace(":60F:C261101", ":60F:C261301"),
        FIRST + SECOND.replace("1234567", "7654321"),
    ],
)
def test_what_cannot_be_held_against_balances_is_refused(text: str) -> None:
    with pytest.raises(FileInvalid):
        contents(text)
