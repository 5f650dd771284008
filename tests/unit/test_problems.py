"""One table of codes: what the contract says, complete, and nowhere else."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import asyncpg
import pytest
from starlette.exceptions import HTTPException

from gateway import problems
from gateway.problems import KINDS, GatewayCode, Refusal, refusal_of
from ledger.database import UNREACHABLE
from ledger.rejections import Code
from tests.tables import cases, rows
from topology import errors

GATEWAY = Path(problems.__file__).parent

#: The contract's table, word by word; the codes below the line are additions.
CONTRACT = """
    code                      | status
    invalid-request           | 422
    invalid-amount            | 422
    idempotency-key-missing   | 400
    unauthenticated           | 401
    forbidden                 | 403
    wallet-not-found          | 404
    transfer-not-found        | 404
    reservation-not-found     | 404
    command-not-found         | 404
    batch-not-found           | 404
    not-found                 | 404
    method-not-allowed        | 405
    unsupported-media-type    | 415
    payload-too-large         | 413
    unknown-wallet            | 422
    insufficient-funds        | 422
    same-wallet               | 422
    currency-mismatch         | 422
    limit-exceeded            | 422
    wallet-frozen             | 409
    wallet-closed             | 409
    wallet-not-empty          | 409
    reversal-exceeds-original | 409
    duplicate-transfer        | 409
    duplicate-wallet          | 409
    duplicate-reservation     | 409
    duplicate-group           | 409
    deadline-exceeded         | 504
    rate-limited              | 429
    unavailable               | 503
    internal                  | 500

    malformed-http            | 400
    head-too-large            | 431
    dead-letter-not-found     | 404
    batch-conflict            | 409
    bank-not-found            | 404
    bank-conflict             | 409
    payout-not-found          | 404
    payout-export-not-found   | 404
    payout-conflict           | 409
    reconciliation-not-found  | 404
    reconciliation-conflict   | 409
    duplicate-payout          | 409
    same-owner                | 403
    dead-letter-resolved      | 409
    dead-letter-not-replayable | 409
"""

EXCEPTIONS = [
    value
    for _, value in inspect.getmembers(errors, inspect.isclass)
    if value.__module__ == errors.__name__
]
SYSTEM = {429, 500, 503, 504}


@cases(CONTRACT)
def test_codes_have_the_contracts_status(row: dict[str, str]) -> None:
    kinds = {str(code): kind for code, kind in KINDS.items()}
    assert kinds[row["code"]].status == int(row["status"])


def test_the_table_covers_every_code_and_nothing_else() -> None:
    assert set(KINDS) == {*Code, *GatewayCode}
    assert {row["code"] for row in rows(CONTRACT)} == {str(code) for code in KINDS}


@pytest.mark.parametrize("code", list(KINDS))
def test_a_problem_has_every_member(code: Code) -> None:
    answer = problems.answer(Refusal(code, "why"), instance="/v1/x", trace_id="t" * 32)
    document = answer.content
    assert isinstance(document, dict)
    assert document == {
        "type": f"urn:store-of-value:problem:{code}",
        "title": KINDS[code].title,
        "status": answer.status,
        "detail": "why",
        "instance": "/v1/x",
        "code": str(code),
        "traceId": "t" * 32,
        "category": "SYSTEM" if answer.status in SYSTEM else "BUSINESS",
        "retryable": answer.status in SYSTEM,
    }
    assert answer.media_type == b"application/problem+json"
    retry_after = dict(answer.headers).get(b"retry-after")
    assert (retry_after is not None) == (answer.status in {429, 503})


def test_members_and_errors_are_in_the_document() -> None:
    refusal = Refusal(
        Code.INSUFFICIENT_FUNDS,
        "why",
        errors=[{"detail": "d", "pointer": "/amount"}] * 50,
        members={"index": 3},
        retry_after_s=7,
    )
    document = problems.answer(refusal, instance="", trace_id="").content
    assert isinstance(document, dict)
    assert document["index"] == 3
    assert document["errors"] == [{"detail": "d", "pointer": "/amount"}] * 20


@pytest.mark.parametrize("exception", EXCEPTIONS)
def test_every_exception_of_the_machinery_has_its_answer(exception: type[Exception]) -> None:
    expected = {
        errors.Malformed: Code.INTERNAL,
        errors.Unavailable: Code.UNAVAILABLE,
        errors.Unroutable: Code.UNAVAILABLE,
        errors.LayoutChanged: Code.UNAVAILABLE,
    }
    assert refusal_of(exception("why")).code is expected[exception]


def test_unavailable_says_when_to_come_back() -> None:
    assert refusal_of(errors.Unavailable("blocked", retry_after_s=5)).retry_after_s == 5


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ConnectionRefusedError(), Code.UNAVAILABLE),
        (TimeoutError(), Code.UNAVAILABLE),
        (asyncpg.ConnectionDoesNotExistError(), Code.UNAVAILABLE),
        (asyncpg.CannotConnectNowError(), Code.UNAVAILABLE),
        (asyncpg.AdminShutdownError(), Code.UNAVAILABLE),
        (asyncpg.QueryCanceledError(), Code.UNAVAILABLE),
        (asyncpg.TooManyConnectionsError(), Code.UNAVAILABLE),
        (asyncpg.InterfaceError("the pool is closed"), Code.UNAVAILABLE),
        (asyncpg.InternalClientError("cannot switch to state 12"), Code.UNAVAILABLE),
        (asyncpg.SerializationError(), Code.UNAVAILABLE),
        (asyncpg.LockNotAvailableError(), Code.UNAVAILABLE),
        (asyncpg.InternalClientError("got result for unknown protocol state 3"), Code.UNAVAILABLE),
        (asyncpg.UndefinedColumnError(), Code.INTERNAL),
        (asyncpg.exceptions._base.DataError("an argument"), Code.INTERNAL),
        (KeyError("x"), Code.INTERNAL),
        (HTTPException(404), GatewayCode.NOT_FOUND),
        (HTTPException(405, headers={"Allow": "GET"}), GatewayCode.METHOD_NOT_ALLOWED),
        (HTTPException(418), Code.INTERNAL),
    ],
)
def test_other_exceptions(error: Exception, code: Code) -> None:
    assert refusal_of(error).code is code


@pytest.mark.parametrize("error", UNREACHABLE)
def test_a_database_that_cannot_be_reached_is_away(error: type[Exception]) -> None:
    assert refusal_of(error("why")).code is Code.UNAVAILABLE


def test_defects_show_nothing_of_themselves() -> None:
    assert "secret" not in refusal_of(ValueError("secret")).detail


def test_status_codes_of_refusals_stand_in_one_file() -> None:
    for path in sorted(GATEWAY.glob("*.py")):
        if path.name == "problems.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and type(node.value) is int:
                assert not 400 <= node.value < 600, f"{path.name}:{node.lineno} {node.value}"
