"""A file in another currency than the account's is no file of the account's."""

from __future__ import annotations

from datetime import date

import pytest

from bank.files.formats import FileInvalid, read
from tests.unit.test_statement_files import CAMT053, OFX_SGML, OFX_XML

SAID = b"<Ccy>ZAR</Ccy>"
RENT = b'<Ntry><Amt Ccy="ZAR">250.00</Amt>'
DETAILS = b"<NtryDtls><TxDtls>"
#: What the payer asked for, in the payer's currency.
INSTRUCTED = b'<AmtDtls><InstdAmt><Amt Ccy="%s">14.00</Amt></InstdAmt></AmtDtls>'


def amounts(format_: str, body: bytes) -> list[int]:
    found = read(format_, body, None, "ZAR", 2, date(2026, 11, 30))
    return [line.signed_minor for line in found.fetched.lines]


def camt053(*changes: tuple[bytes, bytes]) -> bytes:
    body = CAMT053
    for old, new in changes:
        assert old in body
        body = body.replace(old, new)
    return body


@pytest.mark.parametrize(
    "body",
    [
        camt053((b"ZAR", b"USD")),
        camt053((SAID, b""), (b"ZAR", b"USD"), (DETAILS, DETAILS + INSTRUCTED % b"ZAR")),
        camt053((b'Ccy="ZAR"', b'Ccy="USD"')),
        camt053((SAID, b"<Ccy>USD</Ccy>")),
        camt053((RENT, RENT.replace(b"ZAR", b"USD"))),
        camt053((SAID, b""), (RENT, RENT.replace(b"ZAR", b"USD"))),
        camt053((SAID, b""), (b' Ccy="ZAR"', b"")),
        camt053((RENT, RENT.replace(b' Ccy="ZAR"', b""))),
    ],
)
def test_a_camt_in_another_currency_is_refused(body: bytes) -> None:
    with pytest.raises(FileInvalid, match=r"it is in USD|have to be in one currency"):
        amounts("CAMT053", body)


@pytest.mark.parametrize(
    "body",
    [
        camt053((SAID, b"")),
        camt053((DETAILS, DETAILS + INSTRUCTED % b"USD")),
        camt053((SAID, b""), (DETAILS, DETAILS + INSTRUCTED % b"USD")),
        # Not booked yet, so nothing of it counts.
        camt053((b'<Amt Ccy="ZAR">9.00', b'<Amt Ccy="USD">9.00')),
    ],
)
def test_what_was_instructed_in_another_currency_does_not_count(body: bytes) -> None:
    assert amounts("CAMT053", body) == [250_00, -20_50]


@pytest.mark.parametrize("body", [OFX_SGML, OFX_XML])
def test_an_ofx_in_another_currency_is_refused(body: bytes) -> None:
    abroad = b"<CURRENCY><CURRATE>18<CURSYM>USD</CURRENCY>"
    for wrong in (
        body.replace(b"<CURDEF>ZAR", b"<CURDEF>USD"),
        body.replace(b"<CURDEF>ZAR", b"<CURDEF>"),
        body.replace(b"<TRNAMT>250", abroad + b"<TRNAMT>250"),
    ):
        assert wrong != body
        with pytest.raises(FileInvalid, match=r"CURDEF|currency|it is in USD"):
            amounts("OFX", wrong)
    told = abroad.replace(b"CURRENCY", b"ORIGCURRENCY")
    assert amounts("OFX", body.replace(b"<NAME>", told + b"<NAME>")) == [250_00, -20_50]
