"""Statement files as banks write them, and what they come to."""

from __future__ import annotations

import json
from datetime import date

import pytest

from bank.files.formats import ColumnsInvalid, FileInvalid, columns_of, read
from bank.lines import Fetched

HANDED_IN = date(2026, 11, 20)

MT940 = b"""\
:20:STARTUMS
:25:10020030/1234567
:28C:00001/001
:60F:C261101ZAR1000,00
:61:2611021102C250,00NTRFNONREF//B1
:86:RF18 5390 0754 7034 RENT
:61:2611031103D20,50NCHGNONREF//B2
:86:MONTHLY FEE
:62F:C261103ZAR1229,50
-
"""

CAMT053 = b"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt><Stmt>
<Id>1</Id><FrToDt><FrDtTm>2026-11-02T00:00:00</FrDtTm><ToDtTm>2026-11-03T23:59:59</ToDtTm></FrToDt>
<Acct><Id><Othr><Id>1</Id></Othr></Id><Ccy>ZAR</Ccy></Acct>
<Bal><Tp><CdOrPrtry><Cd>OPBD</Cd></CdOrPrtry></Tp><Amt Ccy="ZAR">1000.00</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-01</Dt></Dt></Bal>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="ZAR">1229.50</Amt>
<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-03</Dt></Dt></Bal>
<Ntry><Amt Ccy="ZAR">250.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-02</Dt></BookgDt><ValDt><Dt>2026-11-02</Dt></ValDt>
<NtryDtls><TxDtls><Refs><EndToEndId>NOTPROVIDED</EndToEndId></Refs>
<RmtInf><Ustrd>RF18 5390 0754 7034 RENT</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>
<Ntry><Amt Ccy="ZAR">20.50</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts>
<BookgDt><Dt>2026-11-03</Dt></BookgDt><AddtlNtryInf>MONTHLY FEE</AddtlNtryInf></Ntry>
<Ntry><Amt Ccy="ZAR">9.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts><Cd>PDNG</Cd></Sts></Ntry>
</Stmt></BkToCstmrStmt></Document>
"""

OFX_SGML = b"""OFXHEADER:100
DATA:OFXSGML
CHARSET:1252

<OFX><BANKMSGSRSV1><STMTTRNRS><STMTRS><CURDEF>ZAR
<BANKTRANLIST><DTSTART>20261102<DTEND>20261103235959[+2:SAST]
<STMTTRN><TRNTYPE>CREDIT<DTPOSTED>20261102120000<TRNAMT>250.00<FITID>1<NAME>RF18 5390 0754 7034 RENT
</STMTTRN>
<STMTTRN><TRNTYPE>FEE<DTPOSTED>20261103<TRNAMT>-20.50<FITID>2<NAME>MONTHLY<MEMO>MONTHLY FEE
</STMTTRN></BANKTRANLIST>
<LEDGERBAL><BALAMT>1229.50<DTASOF>20261104</LEDGERBAL></STMTRS></STMTTRNRS></BANKMSGSRSV1></OFX>
"""

OFX_XML = b"""<?xml version="1.0"?><OFX><STMTRS><CURDEF>ZAR</CURDEF><BANKTRANLIST>
<STMTTRN><TRNTYPE>CREDIT</TRNTYPE><DTPOSTED>20261102</DTPOSTED><TRNAMT>250.00</TRNAMT>
<NAME>RF18 5390 0754 7034 RENT</NAME></STMTTRN>
<STMTTRN><TRNTYPE>FEE</TRNTYPE><DTPOSTED>20261103</DTPOSTED><TRNAMT>-20.50</TRNAMT>
<MEMO>MONTHLY FEE</MEMO></STMTTRN></BANKTRANLIST></STMTRS></OFX>
"""

CSV = b"""Date,Details,Amount,Balance
2026-11-02,RF18 5390 0754 7034 RENT,250.00,"1,250.00"
2026-11-03,MONTHLY FEE,-20.50,"1,229.50"
"""
COLUMNS = {"date": "Date", "description": "Details", "amount": "Amount", "balance": "Balance"}


def fetched(format_: str, body: bytes, **columns: object) -> Fetched:
    text = json.dumps(columns) if columns else None
    return read(format_, body, text, "ZAR", 2, HANDED_IN).fetched


@pytest.mark.parametrize(
    ("format_", "body", "columns", "has_balance"),
    [
        ("MT940", MT940, {}, True),
        ("CAMT053", CAMT053, {}, True),
        ("OFX", OFX_SGML, {}, False),
        ("OFX", OFX_XML, {}, False),
        ("CSV", CSV, COLUMNS, True),
    ],
)
def test_every_format_comes_to_the_same_lines(
    format_: str, body: bytes, columns: dict[str, object], has_balance: bool
) -> None:
    found = fetched(format_, body, **columns)
    assert [(line.posting_date, line.signed_minor, line.posted_order) for line in found.lines] == [
        (date(2026, 11, 2), 250_00, None),
        (date(2026, 11, 3), -20_50, None),
    ]
    assert "RF18 5390 0754 7034 RENT" in found.lines[0].description
    assert "MONTHLY FEE" in found.lines[1].description
    balances = [line.running_minor for line in found.lines]
    assert balances == ([1250_00, 1229_50] if has_balance else [None, None])
    assert found.source == format_


def test_a_time_of_another_zone_is_on_the_day_of_south_africa() -> None:
    late = b"20261102225959[0:GMT]", b"20261102180000.000[-5:EST]", b"20261103003000[+2:SAST]"
    for time in late:
        found = fetched("OFX", OFX_XML.replace(b"20261102", time))
        assert [line.posting_date.day for line in found.lines] == [3, 3], time
    for time in (b"2026-11-02T22:30:00Z", b"2026-11-02T18:00:00-05:00", b"2026-11-03T00:30:00"):
        old = b"<BookgDt><Dt>2026-11-02</Dt></BookgDt>"
        new = b"<BookgDt><DtTm>" + time + b"</DtTm></BookgDt>"
        assert old in CAMT053
        found = fetched("CAMT053", CAMT053.replace(old, new))
        assert [line.posting_date.day for line in found.lines] == [3, 3], time


def test_the_opening_balance_is_the_one_of_this_statement() -> None:
    before = CAMT053[CAMT053.index(b"<Bal>") : CAMT053.index(b"</Bal>") + 6]
    closed = before.replace(b"OPBD", b"PRCD").replace(b"1000.00", b"999.00")
    for both in (before + closed, closed + before):
        assert len(fetched("CAMT053", CAMT053.replace(before, both)).lines) == 2


@pytest.mark.parametrize(
    ("format_", "body"),
    [
        ("MT940", MT940.replace(b"1229,50", b"1229,51")),
        ("MT940", b"this is no statement"),
        ("CAMT053", CAMT053.replace(b"1229.50", b"1229.51")),
        ("CAMT053", CAMT053.replace(b'<Amt Ccy="ZAR">250.00', b'<Amt Ccy="ZAR">250.001')),
        ("CAMT053", b"<Document/>"),
        ("CAMT053", b'<!DOCTYPE a [<!ENTITY b "c">]><Document>&b;</Document>'),
        ("OFX", b"<html></html>"),
        ("OFX", OFX_XML.replace(b"ZAR", b"USD")),
        ("OFX", OFX_XML.replace(b"-20.50", b"a lot")),
        ("OFX", OFX_XML.replace(b"-20.50", b"NaN")),
    ],
)
def test_a_file_that_contradicts_itself_is_refused_whole(format_: str, body: bytes) -> None:
    with pytest.raises(FileInvalid):
        fetched(format_, body)


@pytest.mark.parametrize(
    "row",
    [
        b"2026-11-02,short\n",
        b"2026-13-02,no month,1.00,2\n",
        b"2026-11-02,no amount,one,2\n",
        b"2026-11-02,more,1.00,2,3\n",
        b'2026-11-02,"open,1.00,2\n',
    ],
)
def test_a_line_that_cannot_be_read_is_named(row: bytes) -> None:
    with pytest.raises(FileInvalid, match=r"line [34]"):
        fetched("CSV", CSV + row, **COLUMNS)


@pytest.mark.parametrize(
    ("text", "comma", "minor"),
    [
        ("12.5", False, 12_50),
        ("1,250.00", False, 1250_00),
        ("-1 234 567.89", False, -1_234_567_89),
        ("1250", False, 1250_00),
        ("12,50", False, None),
        ("1,25", False, None),
        ("1,250,5", False, None),
        ("1 250,000.00", False, None),
        ("1250,000", False, None),
        ("12,50", True, 12_50),
        ("1.250,00", True, 1250_00),
        ("12.50", True, None),
        ("1,250.00", True, None),
    ],
)
def test_a_comma_is_taken_for_nothing_that_it_may_not_be(
    text: str, comma: bool, minor: int | None
) -> None:
    body = f"Date;Details;Amount\n2026-11-02;rent;{text}\n".encode()
    named = {"date": "Date", "description": "Details", "amount": "Amount", "delimiter": ";"}
    if minor is None:
        with pytest.raises(FileInvalid, match=r"line 2: .* is no amount with"):
            fetched("CSV", body, **named, decimalComma=comma)
        return
    (line,) = fetched("CSV", body, **named, decimalComma=comma).lines
    assert line.signed_minor == minor


def test_what_no_database_keeps_is_replaced() -> None:
    found = fetched("OFX", OFX_XML.replace(b"FEE</TRN", b"F\0E\0</TRN"))
    assert found.lines[1].transaction_type == "F\ufffdE\ufffd"


def test_csv_as_other_countries_write_it() -> None:
    body = "Datum;Text;Soll;Haben\n03.11.2026;Gebühr;1.020,50;\n02.11.2026;Miete;;250,00\n"
    found = fetched(
        "CSV",
        body.encode("cp1252"),
        date="Datum",
        description="Text",
        debit="Soll",
        credit="Haben",
        dateFormat="%d.%m.%Y",
        delimiter=";",
        decimalComma=True,
        newestFirst=True,
    )
    assert [line.signed_minor for line in found.lines] == [250_00, -1020_50]
    assert found.lines[1].description == "Gebühr"


@pytest.mark.parametrize(
    "columns",
    [
        "",
        "{}",
        '{"date": "a", "description": "b"}',
        '{"date": "a", "description": "b", "credit": "c"}',
        '{"date": "a", "description": "b", "amount": "c", "credit": "d", "debit": "e"}',
        '{"date": "a", "description": "b", "amount": "c", "more": "d"}',
    ],
)
def test_maps_that_are_none(columns: str) -> None:
    with pytest.raises(ColumnsInvalid):
        columns_of(columns)
