"""What two sides come to: lines of an extract and transfers, rows of the bank and movements."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from bank.reconciliation import verdicts
from bank.reconciliation.bridge import Bridge, Term, written
from bank.reconciliation.extract import STATES, Extract, State
from bank.reconciliation.report_text import written as text_of
from bank.reconciliation.verdicts import Finding, Here, There, findings, to_do
from ledger.batches import Format
from producers.bulk.unpacking import Unreadable
from tests.tables import cases

ALICE, BOB, CAROL = uuid4(), uuid4(), uuid4()
NOON = datetime(2026, 3, 24, 12, tzinfo=UTC)


def there(**more: Any) -> There:
    line: dict[str, Any] = {
        "line": 2,
        "key": "order-0001",
        "from_wallet": "alice-01",
        "to_wallet": "bob-0001",
        "from_id": ALICE,
        "to_id": BOB,
        "amount": Decimal("10.5"),
        "currency": None,
        "happened": None,
        "state": State.DONE,
        **more,
    }
    return There(**line)


def here(**more: Any) -> Here:
    moved: dict[str, Any] = {
        "transfer_id": UUID(int=1),
        "key": "order-0001",
        "from_id": ALICE,
        "to_id": BOB,
        "amount_minor": 1050,
        "currency": "ZAR",
        "created": NOON,
        **more,
    }
    return Here(**moved)


@cases(
    """
    case                     | there                     | here                | found
    the same                 |                           |                     |
    the same, said precisely | currency=ZAR              |                     |
    another amount           | amount=10.51              |                     | AMOUNT
    finer than its currency  | amount=10.501             |                     | AMOUNT
    another currency         | currency=USD              |                     | AMOUNT
    of a currency w/o cents  |                           | currency=JPY        | AMOUNT
    another wallet           | to_id=CAROL               |                     | WALLET
    an unknown wallet        | from_id=NONE              |                     | WALLET
    both at once             | from_id=CAROL amount=1    |                     | WALLET AMOUNT
    failed there             | state=NOT_DONE            |                     | STATUS
    still open there         | state=OPEN                |                     | STATUS
    reversed there alone     | state=REVERSED            |                     | STATUS
    partly reversed here     | state=REVERSED            | reversed_minor=1049 | STATUS
    reversed on both sides   | state=REVERSED            | reversed_minor=1050 |
    nothing here             |                           | absent              | MISSING_HERE
    failed, and nothing here | state=NOT_DONE            | absent              |
    open, and nothing here   | state=OPEN                | absent              |
    undone, and nothing here | state=REVERSED            | absent              |
    nothing there            | absent                    |                     | MISSING_THERE
    twice there              | first=no                  | absent              | LISTED_TWICE
    """
)
def test_a_line_and_a_transfer(row: dict[str, str]) -> None:
    words: dict[str, Any] = {"CAROL": CAROL, "NONE": None, "no": False}
    change = dict(each.split("=") for each in row["there"].split() if "=" in each)
    line = (
        None
        if row["there"] == "absent"
        else there(
            **{
                name: Decimal(word)
                if name == "amount"
                else State(word)
                if name == "state"
                else words.get(word, word)
                for name, word in change.items()
            }
        )
    )
    moved = None
    if row["here"] != "absent":
        moved = here(
            **{
                name: int(word) if word.isdigit() else word
                for name, word in (each.split("=") for each in row["here"].split())
            }
        )
    found = findings(line, moved)
    assert found == [Finding(word) for word in row["found"].split()]
    assert all(to_do(finding, line) for finding in found)


def test_every_difference_says_what_to_do() -> None:
    for finding in Finding:
        for state in State:
            if finding is not Finding.STATUS or state is not State.DONE:
                assert to_do(finding, there(state=state)).endswith((".", "under a new key."))


def test_all_terms_add_up_or_it_is_said() -> None:
    bridge = Bridge()
    lines = {
        "agreed": (there(), here(), True),
        "amount": (there(amount=Decimal(3)), here(), True),
        "missing here": (there(amount=Decimal(7)), None, False),
        "missing there": (None, here(amount_minor=900), True),
        "elsewhere": (there(amount=Decimal(2)), here(amount_minor=200), False),
        "twice": (there(amount=Decimal(4), first=False), None, False),
        "not done": (there(state=State.OPEN), here(), True),
        "not done, nothing": (there(state=State.NOT_DONE), None, False),
    }
    for name, (line, moved, in_period) in lines.items():
        if name != "agreed":
            bridge.add_pair(line, moved, "ZAR", in_period=in_period)
        if line is not None and line.state is State.DONE:
            bridge.add(Term.THERE, "ZAR", line.amount)
        if moved is not None and in_period:
            bridge.add(Term.HERE, "ZAR", Decimal(moved.amount_minor) / 100)
    assert bridge.unexplained() == {}
    (zar,) = bridge.documents()
    assert [term["term"] for term in zar["terms"]] == [term.value for term in Term]
    assert zar["unexplained"] == "0.00"
    bridge.add(Term.HERE, "ZAR", Decimal("0.01"))
    assert bridge.unexplained() == {"ZAR": Decimal("-0.01")}


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [
        ("10", "ZAR", "10.00"),
        ("10.501", "ZAR", "10.501"),
        ("0", "JPY", "0"),
        ("1E+3", "?", "1000.00"),
        ("-0.5", "ZAR", "-0.50"),
    ],
)
def test_amounts_as_they_are_written(amount: str, currency: str, text: str) -> None:
    assert written(Decimal(amount), currency) == text


HEADER = "externalUniqueId,fromExternalUniqueId,toWalletId,amount,time,status"


def read(*lines: str, form: Format = Format.CSV) -> tuple[list[Any], list[Any]]:
    extract = Extract(form)
    found = extract.read(1, lines)
    extract.end()
    return found.lines, found.flawed


def test_a_line_of_csv() -> None:
    wallet = "0198F0A4-2C8E-7D31-9F0E-3A5B8C1D2E4F"
    lines, flawed = read(
        HEADER.replace(",", ";"), "", f'"order;0001";alice-01;{wallet};0010.50;;Successful'
    )
    assert not flawed
    (line,) = lines
    assert (line.number, line.key, line.from_name) == (3, "order;0001", "alice-01")
    assert (line.to_wallet_id, line.to_name) == (UUID(wallet), None)
    assert (line.amount, line.state) == (Decimal("10.5"), "DONE")


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("order-0001,alice-01,bob,1", "4 columns"),
        (",alice-01,bob,1,,DONE", "externalUniqueId is required"),
        (f"{'k' * 201},alice-01,bob,1,,DONE", "at most 200"),
        ("order-\0001,alice-01,bob,1,,DONE", "NUL"),
        ("order-0001,,bob,1,,DONE", "fromWalletId is required"),
        ("order-0001,alice-01,bob,-1,,DONE", "amount"),
        ("order-0001,alice-01,bob,0,,DONE", "amount"),
        ("order-0001,alice-01,bob,1e5,,DONE", "amount"),
        ("order-0001,alice-01,bob,,,DONE", "amount is required"),
        ("order-0001,alice-01,bob,1,yesterday,DONE", "RFC 3339"),
        ("order-0001,alice-01,bob,1,2026-03-24T10:00:00,DONE", "RFC 3339"),
        ("order-0001,alice-01,bob,1,0001-01-01T00:00:00+02:00,DONE", "RFC 3339"),
        ("order-0001,alice-01,bob,1,,", "status is required"),
        ("order-0001,alice-01,bob,1,,MAYBE", "not one of CANCELED"),
        ('order-0001,"alice-01,bob,1,,DONE', "not CSV"),
    ],
)
def test_a_bad_line_costs_itself(line: str, problem: str) -> None:
    good = "order-0002,alice-01,bob,1,,DONE"
    lines, flawed = read(HEADER, line, good)
    assert [each.key for each in lines] == ["order-0002"]
    assert [each.number for each in flawed] == [2]
    assert problem in flawed[0].problem


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[]", "not a JSON object"),
        ("{", "not JSON"),
        ('{"externalUniqueId": "a", "externalUniqueId": "b"}', "twice"),
        ('{"externalUniqueId": 7}', "must be a string"),
        ('{"externalUniqueId": {"a": 1}}', "must be a string"),
        ('{"fee": 1}', "'fee'"),
        ('{"amount": 1e999999999999999999999}', "JSON"),
    ],
)
def test_a_bad_object_costs_itself(line: str, problem: str) -> None:
    _, (flawed,) = read(line, form=Format.NDJSON)
    assert problem in flawed.problem


@pytest.mark.parametrize(
    "header", ["", "externalUniqueId,amount,status", HEADER + ",amount", HEADER + ",fee", '"a']
)
def test_a_header_that_cannot_be_right_costs_the_file(header: str) -> None:
    with pytest.raises(Unreadable):
        read(header)


def test_every_state_has_its_words() -> None:
    assert set(STATES.values()) == set(State)
    assert all(word == word.upper() for word in STATES)


def test_a_report_shows_the_first_differences_and_counts_the_rest() -> None:
    report = {
        "reconciliationId": "eclipse-1",
        "kind": "ECLIPSE",
        "madeBy": "ANYBODY",
        "agrees": False,
        "periodFrom": "then",
        "periodTo": "now",
        "snapshotAt": "now",
        "completeUntil": "now",
        "extract": {"lines": 3, "unreadable": 1, "states": {"DONE": 2}},
        "transfers": 2,
        "currencies": [],
        "differences": {"UNREADABLE": 1, "MISSING_HERE": 1},
    }
    difference = {
        "number": 1,
        "kind": "UNREADABLE",
        "line": 4,
        "externalUniqueId": None,
        "there": None,
        "here": None,
        "detail": "is not CSV",
        "whatToDo": verdicts.to_do(Finding.UNREADABLE, None),
    }
    text = text_of(report, [difference], 2)
    for words in ("2 differences", "UNREADABLE  line 4", "is not CSV", "->", "and 1 more"):
        assert words in text
    agreeing = {**report, "agrees": True, "differences": {}}
    assert "No differences." in text_of(agreeing, [], 0)
