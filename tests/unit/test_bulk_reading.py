"""Files of transfers as people make them: what costs a line, and what costs the file."""

from __future__ import annotations

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.batches import Format, Kind, Order
from ledger.commands import PostTransfer
from ledger.staged import StagedLine, decode_lines, encode_lines
from producers.bulk.reading import reader
from producers.bulk.unpacking import LINE_LIMIT, Lines, Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

HEADER = "fromExternalUniqueId,toExternalUniqueId,amount,externalUniqueId,description"
MOST = 300_000


def read(
    data: bytes, form: Format = Format.CSV, encoding: str = "identity", step: int = 0, **more: Any
) -> list[StagedLine]:
    """The lines, the bytes fed ``step`` at a time."""
    order = Order(Kind.TRANSFERS, form, encoding, **more)
    lines, reads = Lines(encoding, MOST), reader(order)
    found = []
    for piece in pieces(data, step or len(data) or 1):
        for first, some in lines.feed(piece):
            found += reads.read(first, some)
    for first, some in lines.end():
        found += reads.read(first, some)
    return found + reads.end()


def pieces(data: bytes, step: int) -> Iterator[bytes]:
    for start in range(0, len(data), step):
        yield data[start : start + step]


def file_of(*rows: str, header: str = HEADER) -> bytes:
    return "\n".join((header, *rows, "")).encode()


def words(lines: list[StagedLine]) -> list[tuple[int, str]]:
    return [(line.number, "ok" if line.flaw is None else line.flaw.detail) for line in lines]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("a,b,1,key-0001,", "ok"),
        ("a,b,1,key-0001,caf\u00e9", "ok"),
        ('a,b,1,key-0001,"with, and ""quotes"""', "ok"),
        ('a,b,1,key-0001,5" pipe', "ok"),
        ("a,b,0,key-0001,", "amount: must be greater than zero"),
        ("a,b,-1,key-0001,", "amount: a string amount looks like"),
        ("a,b,1e5,key-0001,", "amount: a string amount looks like"),
        ("a,b, 1,key-0001,", "amount: a string amount looks like"),
        ("a,b,,key-0001,", "amount: is required"),
        ("a,b,1,,", "externalUniqueId: is required"),
        ("a,b,1,key,", "externalUniqueId: must have 6 to 200 characters"),
        (f"a,b,1,key-0001,{'x' * 201}", "description: must have 0 to 200 characters"),
        (",b,1,key-0001,", "fromWalletId: is required"),
        ("a,b,1,key-0001", "has 4 columns, the header has 5"),
        ("a,b,1,key-0001,,", "has 6 columns, the header has 5"),
        ("a,b,1,key-0001,nul\0", "holds NUL"),
        ('a,b,1,key-0001,"open', "is not CSV: a quote is opened and not closed"),
        ('a,b,1,key-0001,"x"y', "is not CSV"),
        ("x" * (LINE_LIMIT + 1), "the line has more than"),
    ],
)
def test_a_bad_line_costs_that_line(row: str, why: str) -> None:
    (found, good) = read(file_of(row, "a,b,1,key-0002,"))
    assert words([found])[0][1].startswith(why)
    assert words([good]) == [(3, "ok")]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "is empty"),
        (b"\n\n", "is empty"),
        (b"hello\n", "a column 'hello'"),
        (file_of(header=HEADER + ",amount"), "a column twice"),
        (file_of(header="toWalletId,amount,externalUniqueId"), "no column fromWalletId or"),
        (file_of("caf\u00e9").replace("\u00e9".encode(), b"\xe9"), "not UTF-8: see line 2"),
        (HEADER.encode("utf-16"), "UTF-16"),
        (b'"' + HEADER.encode(), "no header that can be read"),
        (b"x" * 200_000, "no header"),
    ],
)
def test_a_bad_header_or_encoding_costs_the_file(data: bytes, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        read(data)


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
def test_bom_crlf_blank_lines_and_line_breaks_in_quotes(step: int) -> None:
    text = f'\ufeff{HEADER}\r\n\r\na,b,1,key-0001,"two\r\nlines"\r\n\r\na,b,2.50,key-0002,end'
    found = read(text.encode(), step=step)
    assert [line.number for line in found] == [3, 6]
    first, second = (line.command for line in found)
    assert isinstance(first, PostTransfer)
    assert isinstance(second, PostTransfer)
    assert (first.description, second.amount) == ("two\nlines", Decimal("2.5"))


def test_semicolons_and_the_default_wallet() -> None:
    header = "toExternalUniqueId;amount;externalUniqueId"
    (found,) = read(file_of("b;1.5;key-0001", header=header), from_wallet="alice")
    assert isinstance(found.command, PostTransfer)
    assert str(found.command.from_wallet) == "alice"


def test_an_open_quote_does_not_swallow_the_rest() -> None:
    rows = [f"a,b,1,key-{i:04},x" for i in range(100)]
    rows[10] = 'a,b,1,key-0010,"open'
    found = read(file_of(*rows))
    assert [line.number for line in found if line.flaw] == [12]
    assert len(found) == 100


OBJECT = {"fromExternalUniqueId": "a", "toExternalUniqueId": "b", "externalUniqueId": "key-0001"}


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (json.dumps({**OBJECT, "amount": 1.5}), "ok"),
        (json.dumps({**OBJECT, "amount": "1.50", "metadata": {"a": "b"}}), "ok"),
        (json.dumps({**OBJECT, "amount": 1, "description": None}), "ok"),
        (json.dumps({**OBJECT, "amount": True}), "amount: is not a number"),
        (json.dumps(OBJECT), "amount: is required"),
        (json.dumps({**OBJECT, "amount": 1, "extra": 1}), "Object contains unknown field"),
        (json.dumps({**OBJECT, "amount": 1, "name": "x"}), "name: is not a member"),
        (json.dumps({**OBJECT, "amount": 1})[:-1] + ',"amount":2}', "names a member twice"),
        (json.dumps({**OBJECT, "amount": 1, "sessionId": "a\0bcdefg"}), "holds NUL"),
        (json.dumps({**OBJECT, "amount": 1, "sessionId": "a\ud800bcdefg"}), "is not JSON"),
        ("[1]", "Expected `object`"),
        ("nonsense", "is not JSON"),
        ("[" * 60_000, "Expected `object`"),
        ('{"amount": 1e999999999}', "amount: must have at most"),
    ],
)
def test_ndjson(line: str, why: str) -> None:
    (found,) = read(line.encode() + b"\n\n", Format.NDJSON)
    assert words([found])[0][1].startswith(why), found.flaw


@pytest.mark.parametrize("name", ["amount", "metadata", "extra"])
def test_deep_nesting_costs_that_line(name: str) -> None:
    """Each of the two readers of JSON gives up at a depth of its own."""
    good = json.dumps({**OBJECT, "amount": 1})
    for depth in range(900, 1101):
        deep = '{"' + name + '": ' + '{"a":' * depth + "1" + "}" * depth + "}"
        bad, after = read(f"{deep}\n{good}\n".encode(), Format.NDJSON)
        assert bad.flaw is not None, depth
        assert words([after]) == [(2, "ok")], depth


def test_numbers_are_read_losslessly() -> None:
    line = json.dumps(OBJECT)[:-1] + ', "amount": 12345678901234567.89}'
    (found,) = read(line.encode(), Format.NDJSON)
    assert isinstance(found.command, PostTransfer)
    assert found.command.amount == Decimal("12345678901234567.89")


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
@pytest.mark.parametrize("step", [1, 1000])
def test_packed_files(encoding: str, step: int) -> None:
    pack = gzip.compress if encoding == "gzip" else zstd.compress
    data = file_of(*(f"a,b,1,key-{i:04},x" for i in range(500)))
    # Two members, as files that were packed in parts and joined have.
    packed = pack(data[:5000]) + pack(data[5000:])
    assert len(read(packed, encoding=encoding, step=step)) == 500
    with pytest.raises(Unreadable, match="cut short"):
        read(packed[:-5], encoding=encoding)
    with pytest.raises(Unreadable, match="unpacks to more"):
        read(pack(b"\n" * (MOST + 1)), encoding=encoding)
    with pytest.raises(Unreadable, match=f"is not {encoding}"):
        read(b"something else", encoding=encoding)


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=60)


@given(st.lists(CELL, min_size=1, max_size=8), st.integers(1, 50))
def test_what_a_csv_writer_writes_is_read_back(cells: list[str], step: int) -> None:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(HEADER.split(","))
    rows.writerows(("a", "b", "1", f"key-{i:04}", cell) for i, cell in enumerate(cells))
    found = read(out.getvalue().encode(), step=step)
    short = [cell for cell in cells if cell.count("\n") < 20]
    if len(short) == len(cells):
        texts = [
            line.command.description for line in found if isinstance(line.command, PostTransfer)
        ]
        assert texts == [cell or None for cell in cells]


@given(st.binary(max_size=400), st.sampled_from(Format), st.integers(1, 50))
def test_nothing_breaks_the_reader(data: bytes, form: Format, step: int) -> None:
    """Whatever the bytes: lines with words, or a file that is refused; the same however fed."""

    def tried(step: int) -> object:
        try:
            return read(
                HEADER.encode() + b"\n" + data if form is Format.CSV else data, form, step=step
            )
        except Unreadable:
            return "refused"

    assert tried(step) == tried(len(data) + 200)


def test_lots_are_read_back_as_they_were() -> None:
    found = read(file_of("a,b,1.25,key-0001,x", "a,b,x,key-0002,"))
    assert decode_lines(encode_lines(found)) == found
