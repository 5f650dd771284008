"""Headers, queries, paths and cursors: the small languages callers speak."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from gateway.cursors import Cursor, position_id, position_number
from gateway.exchange import begin
from gateway.identifiers import idempotency_key, optional_key, parse_id
from gateway.parameters import Query
from gateway.preferences import read_deadline, read_waiting, require_within
from gateway.problems import Refusal
from gateway.reading import is_json
from gateway.times import InvalidTime, parse_query_time, parse_time
from ledger.rejections import Code
from tests.tables import cases
from tests.unit.gateway_calls import NOW, call, wallet_id

PREFERENCES = """
    prefer                       | applied       | wait
    wait=2                       | wait=2        | 2
    wait=0.5                     | wait=0.5      | 0.5
    Wait=2                       | wait=2        | 2
    wait="2"                     | wait=2        | 2
    wait = 2                     | wait=2        | 2
    wait = " 2 " ; x             | wait=2        | 2
    wait="2"x                    |               | 5
    wait="2                      |               | 5
    wait=0                       | wait=0.1      | 0.1
    wait=100000                  | wait=30       | 30
    return=minimal, wait=3       | wait=3        | 3
    wait=3; x=y, other           | wait=3        | 3
    wait=3, wait=4               | wait=3        | 3
    wait                         |               | 5
    wait=                        |               | 5
    wait=-1                      |               | 5
    wait=1e1                     |               | 5
    wait=NaN                     |               | 5
    wait=٣                       |               | 5
    ,,=,                         |               | 5
    return=minimal               |               | 5
    respond-async                | respond-async | 5
    respond-async, wait=2        | respond-async | 5
    wait=2, Respond-Async        | respond-async | 5
"""

KEYS = """
    header              | body     | key
                        | key-0001 | key-0001
    key-0001            |          | key-0001
    "key-0001"          |          | key-0001
    key-0001            | key-0001 | key-0001
    "key-0001"          | key-0001 | key-0001
    "key-0001";v=1      |          | key-0001
    "key \\"a\\" \\\\b" |          | key "a" \\b
    ключ-0001           |          | ключ-0001
                        |          | idempotency-key-missing
    key-0002            | key-0001 | idempotency-key-missing
    short               |          | invalid-request
    "key-0001           |          | invalid-request
    "key-0001" more     |          | invalid-request
    "key\\n-0001"       |          | invalid-request
"""

QUERIES = """
    query                       | name    | outcome
    limit=1                     | limit   | 1
    limit=1000                  | limit   | 1000
                                | limit   | 100
    limit=0                     | limit   | invalid-request
    limit=1001                  | limit   | invalid-request
    limit=-1                    | limit   | invalid-request
    limit=1.0                   | limit   | invalid-request
    limit=%2B1                  | limit   | invalid-request
    limit=                      | limit   | invalid-request
    limit                       | limit   | invalid-request
    limit=٣                     | limit   | invalid-request
    limit=%D9%A3                | limit   | invalid-request
    limit=1&limit=1             | limit   | invalid-request
    limit=99999999999999999999  | limit   | invalid-request
    name=a%20b+c                | name    | a b c
    name=%00                    | name    | invalid-request
    name=%FF                    | name    | invalid-request
    name=%ED%A0%80              | name    | invalid-request
    name=                       | name    | invalid-request
    other=1                     | limit   | invalid-request
    LIMIT=1                     | limit   | invalid-request
"""

TIMES = """
    text                                | moment
    2026-03-24T10:00:00Z                | 2026-03-24T10:00:00+00:00
    2026-03-24t10:00:00z                | 2026-03-24T10:00:00+00:00
    2026-03-24T10:00:00.5Z              | 2026-03-24T10:00:00.500000+00:00
    2026-03-24T10:00:00.123456789Z      | 2026-03-24T10:00:00.123456+00:00
    2026-03-24T12:00:00+02:00           | 2026-03-24T10:00:00+00:00
    2026-03-23T23:30:00-10:30           | 2026-03-24T10:00:00+00:00
    0001-01-01T00:00:00Z                | 0001-01-01T00:00:00+00:00
    2026-03-24                          |
    2026-03-24T10:00:00                 |
    2026-03-24T10:00Z                   |
    20260324T100000Z                    |
    2026-W13-2T10:00:00Z                |
    2026-02-30T10:00:00Z                |
    2026-03-24T24:00:00Z                |
    2026-03-24T10:00:60Z                |
    2026-03-24T10:00:00+24:00           |
    0001-01-01T00:00:00+14:00           |
    9999-12-31T23:59:59-14:00           |
    9000-01-01T00:00:00Z                |
    ٢٠٢٦-03-24T10:00:00Z                |
    1774346400                          |
"""


@cases(PREFERENCES)
def test_preferences(row: dict[str, str]) -> None:
    waiting = read_waiting(call({"Prefer": row["prefer"]}))
    assert (waiting.applied or b"").decode() == row["applied"]
    assert waiting.wait_s == float(row["wait"])
    assert waiting.respond_async == (row["applied"] == "respond-async")


@pytest.mark.parametrize(
    "prefer",
    [
        "a=" + " " * 20_000 + '"x"y',
        " " * 30_000 + "=",
        "a" + " " * 30_000 + ";",
        "wait=" + "9" * 30_000,
        "wait=1," * 4_000,
        '"' * 30_000,
    ],
)
def test_headers_that_are_made_to_be_slow_are_ignored(prefer: str) -> None:
    """Each would have taken hours: nothing is read with a pattern that can go back."""
    assert read_waiting(call({"Prefer": prefer})).applied is None
    assert not is_json(b"application/json" + prefer.encode())
    assert not is_json(prefer.encode() + b"x")


def test_a_deadline_may_be_given_whether_or_not_somebody_waits() -> None:
    deadline = {"Sov-Deadline": "2026-03-24T12:00:00+02:00"}
    for headers in (deadline, {"Prefer": "wait=2", **deadline}, {"Prefer": "respond-async"}):
        assert read_deadline(call({**headers, **deadline})) == NOW
    assert read_deadline(call()) is None
    with pytest.raises(Refusal, match="Sov-Deadline must look like"):
        read_deadline(call({"Prefer": "respond-async", "Sov-Deadline": "tomorrow"}))


def test_a_deadline_lies_in_the_future_that_can_be_kept() -> None:
    latest = NOW + timedelta(days=30)
    require_within(None, NOW, latest)
    require_within(latest, NOW, latest)
    for late in (NOW, NOW - timedelta(days=1)):
        with pytest.raises(Refusal, match="had passed") as refused:
            require_within(late, NOW, latest)
        assert refused.value.code is Code.DEADLINE_EXCEEDED
    with pytest.raises(Refusal, match="must not be later"):
        require_within(latest + timedelta(microseconds=1), NOW, latest)


@cases(KEYS)
def test_idempotency_keys(row: dict[str, str]) -> None:
    made = call({"Idempotency-Key": row["header"]} if row["header"] else None)
    try:
        found = idempotency_key(made, row["body"] or None, (6, 100))
    except Refusal as refusal:
        found = str(refusal.code)
    assert found == row["key"]


def test_a_key_is_text() -> None:
    for value in (b"\xff\xfe-not-utf8", b"key-\x00-0001"):
        with pytest.raises(Refusal, match="Idempotency-Key"):
            optional_key(call({"Idempotency-Key": value}), None, (6, 100))
    assert optional_key(call(), None, (6, 100)) is None


@cases(QUERIES)
def test_queries(row: dict[str, str]) -> None:
    try:
        query = Query(row["query"].encode(), {"limit", "name"})
        found = query.limit() if row["name"] == "limit" else query.text("name", 1, 10)
    except Refusal as refusal:
        found = str(refusal.code)
    assert str(found) == row["outcome"]


def test_a_query_says_which_parameter_is_wrong() -> None:
    with pytest.raises(Refusal) as refused:
        Query(b"limit=0", {"limit"}).limit()
    assert refused.value.errors == [
        {"detail": "must be an integer from 1 to 1000", "parameter": "limit"}
    ]


@cases(TIMES)
def test_times(row: dict[str, str]) -> None:
    if row["moment"]:
        assert parse_time(row["text"]).isoformat() == row["moment"]
    else:
        with pytest.raises(InvalidTime):
            parse_time(row["text"])


def test_a_space_for_a_plus_is_forgiven_in_a_query() -> None:
    assert parse_query_time("2026-03-24T12:00:00 02:00") == datetime(2026, 3, 24, 10, tzinfo=UTC)
    with pytest.raises(InvalidTime):
        parse_time("2026-03-24T12:00:00 02:00")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "urn:uuid:{0}",
        "{{{0}}}",
        "{0} ",
        "{0}\n",
        "-{0}",
        "0198f0a42c8e7d319f0e000000000001",
    ],
)
def test_what_is_no_id(text: str) -> None:
    assert parse_id(text.format(wallet_id(1))) is None


def test_ids_in_either_case() -> None:
    assert parse_id(str(wallet_id(1))) == parse_id(str(wallet_id(1)).upper()) == wallet_id(1)


class TestCursors:
    def query(self, cursor: str) -> Query:
        return Query(f"cursor={cursor}".encode(), {"cursor"})

    def test_a_cursor_goes_on_where_its_page_ended(self) -> None:
        cursor = Cursor("/v1/wallets", None, 5)
        assert cursor.read(Query(b"", ())) is None
        assert cursor.read(self.query(cursor.write("here"))) == "here"

    def test_a_cursor_is_good_for_its_question_only(self) -> None:
        written = Cursor("/v1/wallets", "a").write("here")
        for other in (Cursor("/v1/wallets", "b"), Cursor("/v1/wallets"), Cursor("/v1/x", "a")):
            with pytest.raises(Refusal, match="is not a cursor of this list"):
                other.read(self.query(written))

    @pytest.mark.parametrize("text", ["x", "AAAA", "%F0%9F%98%80", "A" * 201, "", "%00", "===="])
    def test_garbage(self, text: str) -> None:
        with pytest.raises(Refusal):
            Cursor("/v1/wallets").read(self.query(text))

    def test_positions_are_what_the_list_counts_by(self) -> None:
        assert position_id(str(wallet_id(1))) == wallet_id(1)
        assert position_number("17") == 17
        for text in ("", "x", "-1", "1" * 30):
            with pytest.raises(Refusal):
                position_number(text)
        with pytest.raises(Refusal):
            position_id("17")


@pytest.mark.parametrize(
    ("media_type", "expected"),
    [
        ("application/json", True),
        ("Application/JSON; charset=UTF-8", True),
        ('application/json;charset="utf-8"', True),
        ("application/problem+json", True),
        ("application/json; charset=latin-1", False),
        ("application/jsonx", False),
        ("text/json", False),
        ("application/xml", False),
    ],
)
def test_media_types(media_type: str, expected: bool) -> None:
    assert is_json(media_type.encode()) == expected


@pytest.mark.parametrize(
    ("header", "continued"),
    [
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", True),
        (b"01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more", True),
        (b"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", False),
        (b"00-00000000000000000000000000000000-00f067aa0ba902b7-01", False),
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", False),
        (b"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01", False),
        (b"00-4bf92f3577b34da6a3ce929d0e0e4736", False),
        (b"", False),
    ],
)
def test_traces_are_continued(header: bytes, continued: bool) -> None:
    exchange = begin({"headers": [(b"traceparent", header)]})
    assert (exchange.trace_id == "4bf92f3577b34da6a3ce929d0e0e4736") == continued
    assert UUID(hex=exchange.trace_id)
