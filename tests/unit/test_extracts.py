"""Extracts that are larger than they look: what unpacks to lines beyond number costs the file, and
what is remembered of a line is small."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bank.reconciliation.extract import MOST_FLAWED, MOST_LINES, Extract
from ledger.batches import Format
from producers.bulk.unpacking import Unreadable

HEADER = "externalUniqueId,fromExternalUniqueId,toExternalUniqueId,amount,status"
GOOD = "order-0001,alice-01,bob-0001,1,DONE"


def begun(form: Format = Format.CSV) -> Extract:
    extract = Extract(form)
    if form is Format.CSV:
        extract.read(1, [HEADER])
    return extract


def test_a_file_of_which_too_many_lines_are_none_is_something_else() -> None:
    extract = begun()
    half = MOST_FLAWED // 2
    for first in (2, half + 2):
        assert len(extract.read(first, ["x"] * half).flawed) == half
    assert len(extract.read(MOST_FLAWED + 2, [GOOD]).lines) == 1, "so many are allowed"
    with pytest.raises(Unreadable, match=f"is none: .* line {MOST_FLAWED + 3} has 1 columns"):
        extract.read(MOST_FLAWED + 3, ["x"])


@pytest.mark.parametrize("line", [GOOD, "", None])
def test_lines_beyond_number_cost_the_file(line: str | None) -> None:
    extract = begun()
    extract.read(MOST_LINES, [line])
    with pytest.raises(Unreadable, match="a shorter period"):
        extract.read(MOST_LINES, [line, line])


@pytest.mark.parametrize(
    ("form", "line"),
    [
        (Format.CSV, "order-0001,alice-01,bob-0001,1.{zeros},DONE"),
        (
            Format.NDJSON,
            '{{"externalUniqueId": "order-0001", "fromExternalUniqueId": "alice-01",'
            ' "toExternalUniqueId": "bob-0001", "amount": 1.{zeros}, "status": "DONE"}}',
        ),
    ],
)
def test_an_amount_has_an_end(form: Format, line: str) -> None:
    extract = begun(form)
    short, long = (line.format(zeros="0" * count) for count in (38, 39))
    read = extract.read(2, [short, long])
    assert [each.amount for each in read.lines] == [Decimal(1)]
    (flawed,) = read.flawed
    assert "40 characters" in flawed.problem


def test_blanks_around_a_status_do_not_count() -> None:
    read = begun().read(2, [GOOD.replace("DONE", " " * 1000 + "done" + " " * 1000)])
    assert [each.state for each in read.lines] == ["DONE"]
