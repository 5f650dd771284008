"""docs/eclipse.md says what the code says: its tables, and the documents that no test can provoke
on demand. Its other examples are played in tests/acceptance."""

from __future__ import annotations

import pytest

from cli.home import ROOT
from examples.eclipse_errors import ECLIPSE_CODES, KEY_CLASH, eclipse_error
from gateway.problems import KINDS, Refusal, answer
from ledger.rejections import TOO_LATE
from tests.guide import Json, code_rows, examples, json_blocks

GUIDE = ROOT / "docs" / "eclipse.md"


def block(**members: object) -> Json:
    """The first JSON block of the guide with these members."""
    for document in json_blocks(GUIDE):
        if isinstance(document, dict) and members.items() <= document.items():
            return document
    pytest.fail(f"no example with {members}")


def test_the_table_of_codes_is_the_adapters() -> None:
    assert {row[0]: row[1:] for row in code_rows(GUIDE)} == {
        str(code): (
            kind.status,
            ECLIPSE_CODES[code],
            "proposed" if ECLIPSE_CODES[code].startswith("SOV") else "published",
        )
        for code, kind in KINDS.items()
    }
    assert f"`{KEY_CLASH}`" in GUIDE.read_text()


def test_a_refusal_is_shown_in_both_forms() -> None:
    assert [eclipse_error(block(code="insufficient-funds"))] in json_blocks(GUIDE)


def test_too_late_looks_as_it_is_shown() -> None:
    shown = block(code="deadline-exceeded")
    refusal = Refusal(TOO_LATE.code, TOO_LATE.detail)
    made = answer(refusal, instance=shown["instance"], trace_id=shown["traceId"])
    assert shown == made.content


def test_every_call_that_eclipse_asks_for_has_an_example() -> None:
    assert len(list(examples(GUIDE))) == GUIDE.read_text().count("```http")
    shown = {(e.method, e.path.partition("?")[0].split("/")[-1], e.status) for e in examples(GUIDE)}
    assert shown >= {
        ("POST", "wallets", 201),
        ("GET", "balance", 200),
        ("GET", "transactions", 200),
        ("POST", "transfers", 201),
        ("POST", "transfers", 409),
        ("POST", "transfers", 422),
        ("POST", "reservations", 201),
        ("GET", "reservations", 200),
    }
