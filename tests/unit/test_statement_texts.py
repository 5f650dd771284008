"""What a file says in words: in which letters, and what of them reaches people."""

from __future__ import annotations

import json
from datetime import date

import pytest

from bank.files.formats import read
from bank.lines import Line
from tests.unit.test_statement_files import COLUMNS, OFX_SGML


def lines(format_: str, body: bytes, columns: str | None = None) -> list[Line]:
    return list(read(format_, body, columns, "ZAR", 2, date(2026, 11, 30)).fetched.lines)


@pytest.mark.parametrize(
    ("charset", "read_as"),
    [
        (b"1252", "RËNT"),
        (b"windows-1252", "RËNT"),
        (b"ISO-8859-1", "RËNT"),
        (b"850", "R╦NT"),
        (b"cp850", "R╦NT"),
        (b"US-ASCII", "R\ufffdNT"),
        # None of these is what banks write. The first takes days for 16 MiB of the right letters.
        (b"punycode", "RËNT"),
        (b"utf-7", "RËNT"),
        (b"unicode_escape", "RËNT"),
        (b"hz", "RËNT"),
        (b"99999", "RËNT"),
        (b"\xff", "RËNT"),
    ],
)
def test_an_ofx_is_in_the_letters_that_banks_use(charset: bytes, read_as: str) -> None:
    body = OFX_SGML.replace(b"CHARSET:1252", b"CHARSET:" + charset).replace(b"RENT", b"R\xcbNT")
    assert lines("OFX", body)[0].description.endswith(read_as)


def test_nothing_that_moves_a_terminal_is_kept() -> None:
    words = "rent\u00a0for \x1b[2Jmay\x9b1A\u202e\tfrom  naidoo\0"
    body = f"Date,Details,Amount,Balance\n2026-11-02,{words},250.00,1250.00\n"
    (line,) = lines("CSV", body.encode(), json.dumps(COLUMNS))
    assert line.description == "rent for \ufffd[2Jmay\ufffd1A\ufffd from naidoo\ufffd"
    assert line.description.isprintable()
