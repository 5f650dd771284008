"""What a person sees of a statement file before agreeing to it."""

from __future__ import annotations

from typing import Any

from cli.bank_statements import told

FILE: dict[str, Any] = {
    "statementId": "0198f0a4",
    "accountId": "main",
    "currency": "ZAR",
    "format": "MT940",
    "sha256": "ab" * 32,
    "uploadedBy": "k1",
    "uploadedOwner": "Thandi",
    "uploaded": "2026-11-06T06:00:00.000000Z",
    "handedInAgain": None,
    "namedAccount": "250655/62001234567",
    "accountConfirmed": True,
    "firstEntry": "2026-11-02",
    "lastEntry": "2026-11-05",
    "firstDay": "2026-11-02",
    "lastDay": "2026-11-05",
    "openingBalance": "1000.00",
    "closingBalance": "1009.50",
    "credits": {"count": 2, "amount": "12.00"},
    "debits": {"count": 1, "amount": "2.50"},
    "newCredits": {"count": 1, "amount": "7.00"},
    "newDebits": {"count": 0, "amount": "0.00"},
}


def test_all_that_is_agreed_to_is_shown() -> None:
    assert list(told(FILE)) == [
        "MT940 of account main: 0198f0a4",
        "  by Thandi (k1), 2026-11-06T06:00:00.000000Z",
        f"  SHA-256 {'ab' * 32}",
        "  names account 250655/62001234567, which it is",
        "  entries of 2026-11-02 to 2026-11-05",
        "  accounts for every day of 2026-11-02 to 2026-11-05",
        "  opening balance 1000.00 ZAR",
        "  closing balance 1009.50 ZAR",
        "  2 credits, 12.00 ZAR; new of them 1, 7.00",
        "  1 debits, 2.50 ZAR; new of them 0, 0.00",
    ]


def test_what_a_file_does_not_say_is_said() -> None:
    silent = dict.fromkeys(
        ("firstEntry", "lastEntry", "firstDay", "lastDay", "openingBalance", "closingBalance")
    )
    shown = "\n".join(told({**FILE, **silent, "accountConfirmed": False}))
    assert "NOT COMPARED" in shown
    assert "entries of" not in shown
    assert "accounts for no whole day" in shown
    assert "balance" not in shown
    assert "names no account" in "\n".join(told({**FILE, "namedAccount": None}))


def test_a_file_that_was_never_read_says_nothing() -> None:
    assert len(list(told({**FILE, "credits": None}))) == 3
