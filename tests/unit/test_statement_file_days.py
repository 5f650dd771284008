"""Of which days a statement file surely has every row, and for which it accounts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date

import pytest

from bank.files.contents import Contents, Sums, sums_of
from bank.files.entries import Days
from bank.files.formats import FileInvalid, read

LATER = date(2026, 11, 20)


def contents(format_: str, body: str, handed_in: date = LATER) -> Contents:
    columns = json.dumps({"date": "Date", "description": "Details", "amount": "Amount"})
    given = columns if format_ == "CSV" else None
    return read(format_, body.encode(), given, "ZAR", 2, handed_in)


def november(days: str) -> Days | None:
    """``2-5``, or a dash for none."""
    if days == "-":
        return None
    first, last = days.split("-")
    return Days(date(2026, 11, int(first)), date(2026, 11, int(last)))


def whole_of(found: Contents) -> Days | None:
    fetched = found.fetched
    if fetched.whole:
        return Days(fetched.first, fetched.last)
    assert fetched.first == fetched.last, "between the two a row would be looked for"
    return None


def assert_days(found: Contents, whole: str, accounted: str) -> None:
    assert (whole_of(found), found.accounted) == (november(whole), november(accounted))


def mt940(statements: Sequence[str]) -> str:
    """Each of them ``opening day, balance; days of entries, +1.00 each; closing day``; a day with a
    v is one of value alone, with no day of booking."""
    lines = []
    for statement in statements:
        (opens, balance), entries, closes = (part.split() for part in statement.split(";"))
        lines += [":20:X", ":25:1", ":28C:1/1", f":60F:C2611{opens}ZAR{balance},00"]
        for day in entries:
            booked = "" if day.endswith("v") else f"11{day}"
            lines += [f":61:2611{day[:2]}{booked}C1,00NTRFNONREF", ":86:rent"]
        lines += [f":62F:C2611{closes[0]}ZAR{int(balance) + len(entries)},00", "-"]
    return "\r\n".join([*lines, ""])


@pytest.mark.parametrize(
    ("statements", "whole", "accounted"),
    [
        # The opening balance is the closing one of the day before.
        (["01 1000; 02 03 05; 05"], "2-4", "2-5"),
        (["01 1000; 02; 02"], "-", "2-2"),
        (["01 1000; 05; 05"], "2-4", "2-5"),
        # Or of the day on which the statement begins, which it may have a part of.
        (["02 1000; 02 03 05; 05"], "3-4", "2-5"),
        (["02 1000; 02; 02"], "-", "2-2"),
        # Without an entry nobody knows on which day one would be booked.
        (["01 1000; ; 05"], "-", "2-5"),
        (["02 1000; ; 02"], "-", "2-2"),
        # A day of value is no day of booking.
        (["02 1000; 02v 03 05; 05"], "-", "3-5"),
        # Several statements, or pages of one, that go on from each other.
        (["01 1000; 02; 02", "02 1001; 03; 03", "03 1002; 06; 06"], "2-5", "2-6"),
        (["02 1000; 02; 02", "03 1001; ; 03", "04 1001; 04; 04"], "3-3", "2-4"),
        (["01 1000; 02; 03", "03 1001; 03; 03"], "2-2", "2-3"),
        # With days between them for which there is none, or in no order.
        (["01 1000; 02; 02", "05 1001; 06; 06"], "-", "-"),
        (["03 1000; ; 04", "01 1000; 02; 02"], "-", "-"),
    ],
)
def test_the_days_of_an_mt940(statements: list[str], whole: str, accounted: str) -> None:
    assert_days(contents("MT940", mt940(statements)), whole, accounted)


def test_balances_of_several_statements_prove_their_entries() -> None:
    found = contents("MT940", mt940(["01 1000; 02 02; 02", "02 1002; 03; 03"]))
    assert [line.running_minor for line in found.fetched.lines] == [1001_00, 1002_00, 1003_00]
    assert (found.opening_minor, found.closing_minor) == (1000_00, 1003_00)
    two = mt940(["01 1000; 02; 02", "02 1001; 03; 03"])
    for old, new in (("ZAR1002", "USD1002"), ("ZAR1002,00", "ZAR1002.00"), (":62F:", ":64:")):
        assert old in two
        with pytest.raises(FileInvalid):
            contents("MT940", two.replace(old, new))


def test_a_credit_that_is_reversed_is_none() -> None:
    body = mt940(["01 1000; 02 03; 03"]).replace(":61:2611031103C1", ":61:2611031103RC1")
    body = body.replace("ZAR1002", "ZAR1000")
    assert [line.signed_minor for line in contents("MT940", body).fetched.lines] == [1_00, -1_00]


@pytest.mark.parametrize(
    ("handed_in", "whole", "accounted"),
    [
        # On its last day the closing balance speaks for the day; the next file goes on from it.
        (5, "2-4", "2-5"),
        (4, "2-3", "2-4"),
        (2, "-", "2-2"),
        (1, "-", "-"),
    ],
)
def test_no_file_knows_of_a_day_that_is_not_over(
    handed_in: int, whole: str, accounted: str
) -> None:
    body = mt940(["01 1000; 02 05; 05"])
    assert_days(contents("MT940", body, date(2026, 11, handed_in)), whole, accounted)


def camt(period: str, balances: str = "PRCD 01, CLBD 03", more: str = "") -> str:
    """Entries of +1.00 on the second and the third."""
    found = "".join(
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp><Amt Ccy='ZAR'>"
        f"{1002 if code == 'CLBD' else 1000}.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>"
        f"<Dt><Dt>2026-11-{day}</Dt></Dt></Bal>"
        for code, day in (each.split() for each in balances.split(",") if each)
    )
    entries = "".join(
        "<Ntry><Amt Ccy='ZAR'>1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Sts>BOOK</Sts>"
        f"<BookgDt><Dt>2026-11-{day}</Dt></BookgDt></Ntry>"
        for day in ("02", "03")
    )
    begins, _, ends = period.partition(" ")
    told = f"<FrToDt><FrDtTm>{begins}</FrDtTm><ToDtTm>{ends}</ToDtTm></FrToDt>" if period else ""
    return f"<Document><B><Stmt>{more}{told}{found}{entries}</Stmt></B></Document>"


@pytest.mark.parametrize(
    ("period", "balances", "whole", "accounted"),
    [
        ("2026-11-02T00:00:00 2026-11-03T23:59:59", "PRCD 01, CLBD 03", "2-3", "2-3"),
        ("2026-11-02T00:00:00 2026-11-04T00:00:00", "PRCD 01, CLBD 03", "2-3", "2-3"),
        ("2026-11-02T00:00:00 2026-11-03T00:00:00", "PRCD 01, CLBD 03", "2-3", "2-3"),
        ("2026-11-02T00:00:00 2026-11-03T24:00:00", "PRCD 01, CLBD 03", "2-3", "2-3"),
        ("2026-11-02T00:00:00 2026-11-03T00:00:00", "", "2-2", "2-2"),
        ("2026-11-01T22:00:00Z 2026-11-03T21:59:59Z", "PRCD 01, CLBD 03", "2-3", "2-3"),
        ("2026-11-01T09:30:00 2026-11-03T14:00:00", "PRCD 01, CLBD 03", "2-2", "2-2"),
        ("2026-11-02T09:30:00 2026-11-03T14:00:00", "PRCD 01, CLBD 03", "-", "-"),
        ("", "PRCD 01, CLBD 03", "2-2", "2-3"),
        ("", "OPBD 02, CLBD 03", "-", "2-3"),
        ("", "OPBD 02, PRCD 01, CLBD 03", "2-2", "2-3"),
        ("", "", "-", "-"),
    ],
)
def test_the_days_of_a_camt053(period: str, balances: str, whole: str, accounted: str) -> None:
    assert_days(contents("CAMT053", camt(period, balances)), whole, accounted)


@pytest.mark.parametrize("element", ["<PgNb>2</PgNb>", "<LastPgInd>false</LastPgInd>"])
def test_a_page_has_no_day_whole(element: str) -> None:
    period = "2026-11-02T00:00:00 2026-11-03T23:59:59"
    alone = "<StmtPgntn><PgNb>1</PgNb><LastPgInd>true</LastPgInd></StmtPgntn>"
    assert_days(contents("CAMT053", camt(period, more=alone)), "2-3", "2-3")
    page = f"<StmtPgntn>{element}</StmtPgntn>"
    assert_days(contents("CAMT053", camt(period, more=page)), "-", "-")


@pytest.mark.parametrize(
    ("period", "whole"),
    [
        ("<DTSTART>20261101<DTEND>20261106", "2-5"),
        ("<DTSTART>20261101120000<DTEND>20990101", "2-19"),
        ("<DTSTART>20261120<DTEND>20261120", "-"),
        ("<DTSTART>20261103<DTEND>20261104", "-"),
        ("", "3-4"),
    ],
)
def test_the_days_of_an_ofx(period: str, whole: str) -> None:
    entries = "".join(
        f"<STMTTRN><DTPOSTED>202611{day}<TRNAMT>1.00<NAME>rent</STMTTRN>" for day in ("02", "05")
    )
    body = f"<OFX><STMTRS><CURDEF>ZAR<BANKTRANLIST>{period}{entries}</BANKTRANLIST></STMTRS></OFX>"
    assert_days(contents("OFX", body), whole, whole)


@pytest.mark.parametrize(
    ("entries", "whole"), [("02 03 05", "3-4"), ("02 04", "3-3"), ("02 03", "-"), ("02", "-")]
)
def test_the_days_of_a_csv(entries: str, whole: str) -> None:
    lines = "".join(f"2026-11-{day},rent,1.00\n" for day in entries.split())
    assert_days(contents("CSV", f"Date,Details,Amount\n{lines}"), whole, whole)


def test_nothing_at_all_is_no_statement() -> None:
    empty = (
        "<OFX><STMTRS><CURDEF>ZAR<BANKTRANLIST><DTSTART>20261101<DTEND>20261102"
        "</BANKTRANLIST></STMTRS>"
    )
    for format_, body in (("CSV", "Date,Details,Amount\n"), ("OFX", empty + "</OFX>")):
        with pytest.raises(FileInvalid, match="no entries"):
            contents(format_, body)
    later = contents("OFX", f"{empty}</OFX>".replace("20261102", "20261109"))
    assert_days(later, "2-8", "2-8")


def test_what_a_file_comes_to() -> None:
    body = "Date,Details,Amount\n2026-11-02,a,10.00\n2026-11-02,b,5.50\n2026-11-03,c,-2.00\n"
    assert sums_of(contents("CSV", body).fetched.lines) == Sums(2, 15_50, 1, 2_00)
    assert sums_of([]) == Sums(0, 0, 0, 0)
    most = "".join(f"2026-11-02,a,{8 * 10**14}.00\n" for _ in range(2))
    with pytest.raises(FileInvalid, match="more than there can be"):
        contents("CSV", f"Date,Details,Amount\n{most}")
