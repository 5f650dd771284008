"""What callers say about a file: read, or refused before anything of it is kept."""

from __future__ import annotations

from decimal import Decimal
from urllib.parse import urlencode

import pytest

from gateway.batch_orders import SUBMISSION, order_of, place_of
from gateway.parameters import Query
from gateway.problems import Refusal
from gateway.times import parse_time
from ledger.batches import Order
from tests.unit.gateway_calls import call
from topology.command_ids import command_id_of
from topology.deadlines import EARLIEST_DEADLINE


def asked(**query: str) -> Order:
    known = [parameter.name for parameter in SUBMISSION]
    found = call({"Content-Type": "text/csv"})
    found.query = Query(urlencode(query).encode(), known)
    return order_of(found)


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("0", "0"),
        ("0.00", "0"),
        ("100.00", "100"),
        ("1.2345", "1.2345"),
        ("9" * 30 + ".9999", "9" * 30 + ".9999"),
    ],
)
def test_control_totals(text: str, total: str) -> None:
    assert asked(controlTotal=text).control_total == Decimal(total)


@pytest.mark.parametrize(
    "text",
    [
        *("1E+999999999999999", "1e5", "NaN", "nan", "sNaN", "Infinity", "-1", "-0", "+1"),
        *("", ".5", "1.", "1.00000", "9" * 31, "1_000", " 1", "1\n", "\u0661", "1,00", "x"),
    ],
)
def test_what_is_no_control_total(text: str) -> None:
    with pytest.raises(Refusal) as refused:
        asked(controlTotal=text)
    assert refused.value.code == "invalid-request"
    assert [error["parameter"] for error in refused.value.errors] == ["controlTotal"]


def test_times_after_which_no_line_is_posted() -> None:
    assert asked().not_after is None
    passed = "2000-01-01T00:00:00Z"
    assert asked(notAfter=passed).not_after == EARLIEST_DEADLINE
    # An id for the earliest can be made, and for one before 1970 it could not.
    command_id_of(1, 0, EARLIEST_DEADLINE, bytes(8))
    for text in ("1999-12-31T23:59:59.999Z", "1969-07-20T20:17:40Z", "0001-01-01T00:00:00Z", "x"):
        with pytest.raises(Refusal) as refused:
            asked(notAfter=text)
        assert [error["parameter"] for error in refused.value.errors] == ["notAfter"]


def test_a_place_in_the_list_of_files() -> None:
    moment = "2026-03-24T10:00:00.000Z"
    assert place_of(None) is None
    assert place_of(f"{moment} payroll-2026.03") == (parse_time(moment), "payroll-2026.03")
    unusable = ("", moment, f"{moment} ", f"{moment} a\0b", f"{moment} a b", f"{moment} -a")
    for position in (*unusable, f"{moment} {'a' * 101}", "yesterday a", "0000-00-00T00:00:00Z a"):
        with pytest.raises(Refusal) as refused:
            place_of(position)
        assert [error["parameter"] for error in refused.value.errors] == ["cursor"]
