"""Whose statement a file is, as far as it says so."""

from __future__ import annotations

from datetime import date

import pytest

from bank.files.account_names import is_confirmed
from bank.files.formats import FileInvalid, read

DAY = date(2026, 11, 20)

CASES = [
    # As our number is written, and with branch, bank, zeros, currency or check digits around it.
    ("62001234567", ["62001234567"], True),
    ("250655/62001234567", ["an id", "62001234567"], True),
    ("2506 55 6200-1234-567 ZAR", ["62001234567"], True),
    ("ABSAZAJJXXX/62001234567", ["62001234567"], True),
    ("00062001234567", ["62001234567"], True),
    ("62001234567", ["00062001234567"], True),
    ("62001234567", ["250655-62001234567"], True),
    ("NL91ABNA0417164300", ["0417164300"], True),
    ("0417164300", ["NL91ABNA0417164300"], True),
    ("FR7630006000011234567890189", ["12345678901"], True),
    # Masked: its end counts, zeros included.
    ("******4567", ["62001234567"], True),
    ("XXXX4567", ["62001234567"], True),
    ("62xx-xxxx-4567", ["62001234567"], True),
    ("****0012", ["62000000012"], True),
    # Another one.
    ("62001234568", ["62001234567"], None),
    ("******4568", ["62001234567"], None),
    ("****0012", ["62000001012"], None),
    ("250655/62001234567", ["7654321", None], None),
    ("62001234567", ["12345678"], None),
    # Nothing to hold against each other.
    ("62001234567", ["main", None], False),
    ("62001234567", ["cheque-2024", None], False),
    ("62001234567", ["67", None], False),
    ("62001234567", [], False),
    ("******67", ["62001234567"], False),
    ("6200******", ["62001234567"], False),
    ("SAVINGS", ["62001234567"], False),
]


@pytest.mark.parametrize(("named", "known", "confirmed"), CASES)
def test_an_account_is_known_by_the_end_of_its_number(
    named: str, known: list[str | None], confirmed: bool | None
) -> None:
    if confirmed is None:
        with pytest.raises(FileInvalid, match="was handed in for another"):
            is_confirmed(named, known)
    else:
        assert is_confirmed(named, known) is confirmed


def test_a_file_that_names_no_account_is_taken() -> None:
    assert is_confirmed(None, ["62001234567"]) is None


MT940 = ":20:X\r\n:25:NAME\r\n:60F:C261101ZAR1,00\r\n:62F:C261102ZAR1,00\r\n"
CAMT = (
    "<D><Stmt><FrToDt><FrDtTm>2026-11-02</FrDtTm><ToDtTm>2026-11-04</ToDtTm></FrToDt>"
    "<Acct><Id>NAME</Id><Ccy>ZAR</Ccy></Acct></Stmt></D>"
)
OFX = (
    "<OFX><STMTRS><CURDEF>ZAR<BANKACCTFROM><ACCTID>NAME\n</BANKACCTFROM><BANKTRANLIST>"
    "<DTSTART>20261101<DTEND>20261105</BANKTRANLIST></STMTRS></OFX>"
)


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("MT940", MT940),
        ("CAMT053", CAMT.replace("NAME", "<Othr><Id>NAME</Id></Othr>")),
        ("CAMT053", CAMT.replace("NAME", "<IBAN>NAME</IBAN>")),
        ("OFX", OFX),
    ],
)
def test_where_a_file_names_its_account(format_: str, body: str) -> None:
    named = body.replace("NAME", "6200 1234 567").encode()
    found = read(format_, named, None, "ZAR", 2, DAY, ("main", "62001234567"))
    assert (found.account, found.confirmed) == ("6200 1234 567", True)
    unsure = read(format_, named, None, "ZAR", 2, DAY, ("main", None))
    assert (unsure.account, unsure.confirmed) == ("6200 1234 567", False)
    with pytest.raises(FileInvalid, match="was handed in for another"):
        read(format_, named, None, "ZAR", 2, DAY, ("main", "62007654321"))


def test_what_a_terminal_would_obey_is_not_shown() -> None:
    body = MT940.replace("NAME", "\x1b[2J62001234567").encode()
    found = read("MT940", body, None, "ZAR", 2, DAY, ("62001234567",))
    assert found.account == "\ufffd[2J62001234567"
