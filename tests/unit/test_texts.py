"""What others have written: refused where it is handed in and steers whoever reads it, and harmless
wherever it is shown all the same."""

from __future__ import annotations

from typing import Any

import pytest

from bank.reconciliation import report_text
from cli import suspense
from gateway.bank_bodies import NewAlias, NewExpectedPayment, NewSuspenseAction, NewWord
from gateway.bodies import Body, validated
from gateway.payout_bodies import NewPayout, NewReason
from gateway.problems import Refusal
from topology.texts import clean, cleaned, is_clean

STEERING = {
    "two lines": "first\nsecond",
    "a carriage return": "first\rsecond",
    "a new page": "first\u2028second",
    "an escape sequence": "\x1b[2Jgone",
    "the same as one character": "\x9b2Jgone",
    "a bell": "ding\a",
    "from right to left": "pay \u202e00.001",
    "isolated": "pay \u2066x\u2069",
    "invisible": "Than\u200bdi",
    "another blank": "Thandi\u00a0Nkosi",
    "half a character": "half \ud83d",
}
PLAIN = ("Thandi Nkosi", "Zoë & Søn (Pty) Ltd", "请付款", "paid 🎉", "ticket #4711: ok?")

PAYOUT = {
    "walletId": "w",
    "amount": "1.00",
    "beneficiary": {"name": "Thandi", "accountNumber": "62000000001", "branchCode": "580105"},
    "theirReference": "Invoice 42",
}
EXPECTED = {
    "accountId": "1",
    "walletId": "w",
    "amount": "1.00",
    "firstDay": "2026-05-01",
    "lastDay": "2026-05-31",
}

#: Every text that others read, in the body that it comes in.
HANDED_IN: list[tuple[type[Body], dict[str, Any], str]] = [
    (NewReason, {}, "/reason"),
    (NewWord, {}, "/reason"),
    (NewSuspenseAction, {"kind": "RETURN"}, "/reason"),
    (NewAlias, {"accountId": "1", "walletId": "w"}, "/alias"),
    (NewExpectedPayment, EXPECTED, "/note"),
    (NewPayout, PAYOUT, "/description"),
    (NewPayout, PAYOUT, "/beneficiary/name"),
    (NewPayout, PAYOUT, "/beneficiary/beneficiaryId"),
]


def with_text(document: dict[str, Any], pointer: str, text: str) -> dict[str, Any]:
    first, *rest = pointer.strip("/").split("/")
    if not rest:
        return {**document, first: text}
    return {**document, first: {**document[first], rest[0]: text}}


@pytest.mark.parametrize("text", STEERING.values(), ids=STEERING)
def test_what_steers_its_reader_is_refused(text: str) -> None:
    for model, document, pointer in HANDED_IN:
        with pytest.raises(Refusal) as refused:
            validated(model, with_text(document, pointer, text))
        assert refused.value.code == "invalid-request"
        (error,) = refused.value.errors
        assert error["pointer"] == pointer


@pytest.mark.parametrize("text", PLAIN)
def test_what_anybody_writes_is_taken(text: str) -> None:
    for model, document, pointer in HANDED_IN:
        assert validated(model, with_text(document, pointer, text))


@pytest.mark.parametrize("text", [*STEERING.values(), "\0"])
def test_what_is_cleaned_is_clean(text: str) -> None:
    assert not is_clean(text)
    assert is_clean(clean(text))
    assert len(clean(text)) == len(text), "what was there can be seen"


@pytest.mark.parametrize("text", PLAIN)
def test_what_is_clean_stays(text: str) -> None:
    assert clean(text) == text


def test_a_key_writes_no_line_of_a_report() -> None:
    report = {
        "reconciliationId": "eclipse-1",
        "kind": "ECLIPSE",
        "madeBy": "ANYBODY",
        "agrees": False,
        "periodFrom": "then",
        "periodTo": "now",
        "snapshotAt": "now",
        "completeUntil": "now",
        "extract": {"lines": 1, "unreadable": 0, "states": {}},
        "transfers": 0,
        "currencies": [],
        "differences": {"MISSING_HERE": 1},
    }
    difference = {
        "number": 1,
        "kind": "MISSING_HERE",
        "externalUniqueId": "order-1\nNo differences.\n\x1b[8m",
        "there": {"fromWallet": "alice\r\n"},
        "here": None,
        "detail": None,
        "whatToDo": "ask.",
    }
    text = report_text.written(report, [difference], 1)
    assert "No differences." not in text.splitlines()
    assert "\x1b" not in text
    assert "order-1 No differences." in text


def test_what_a_terminal_is_told() -> None:
    item = {
        "rowId": "0198f0a4",
        "amount": "1.00",
        "currency": "ZAR",
        "ageDays": 1,
        "description": "rent\n    perhaps mallory (reference)",
        "openAction": None,
        "suggestions": [],
    }
    (line,) = suspense.told(item).splitlines()
    assert is_clean(line)


def test_a_document_is_cleaned_all_through() -> None:
    document = {"a": "x\ny", "b": [{"c": "\x1b"}, 1, None, True], "d": "plain"}
    cleaned_up = {"a": "x y", "b": [{"c": "\ufffd"}, 1, None, True], "d": "plain"}
    assert cleaned(document) == cleaned_up
