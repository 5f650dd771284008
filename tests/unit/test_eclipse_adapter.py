"""What an answer means for the money, and in whose words it is told."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import httpx
import pytest

from examples.eclipse_adapter import StoreOfValue
from examples.eclipse_errors import ECLIPSE_CODES, NotDone, eclipse_error
from examples.eclipse_retries import Patience
from gateway.problems import KINDS, Refusal, answer
from ledger.rejections import Code
from tests.tables import cases
from tests.unit.test_architecture import ALLOWED, ROOT, imports_of

TRANSFER = {"transferId": "posted"}
PENDING = {"commandId": "c", "status": "PENDING"}
#: A store of value that asks for more time than the adapter has.
FOR_LONG = {"retry-after": "3600"}
DECIDED = {"sov-command-id": "c"}
LOCATION = {"location": "/v1/commands/c"}

CODES = {
    "funds": Code.INSUFFICIENT_FUNDS,
    "invalid": Code.INVALID_REQUEST,
    "same": Code.DUPLICATE_TRANSFER,
    "clash": Code.DUPLICATE_TRANSFER,
    "503": Code.UNAVAILABLE,
    "504": Code.DEADLINE_EXCEEDED,
    "500": Code.INTERNAL,
}


def problem(word: str) -> tuple[int, dict[str, Any]]:
    """The document that the gateway itself makes of the refusal."""
    members: dict[str, Any] = {}
    if word in ("same", "clash"):
        members = {"samePayload": word == "same", "transfer": TRANSFER}
    made = answer(
        Refusal(CODES[word], "no", members=members), instance="/v1/transfers", trace_id="t"
    )
    assert isinstance(made.content, dict)
    return made.status, made.content


def respond(word: str, **headers: str) -> httpx.Response:
    status, document = problem(word)
    media_type = {"content-type": "application/problem+json"}
    return httpx.Response(status, json=document, headers=media_type | headers)


def outcome_of(word: str) -> dict[str, Any]:
    status, body = (201, TRANSFER) if word == "posted" else problem(word)
    return {**PENDING, "status": "APPLIED", "outcome": {"httpStatus": status, "body": body}}


class Script:
    """A store of value that answers one word after the other, and the last one for ever."""

    def __init__(self, words: str) -> None:
        self._words: Iterator[str] = iter(words.split(", "))
        self._outcome = ""
        self.attempts = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            document = outcome_of(self._outcome) if self._outcome else PENDING
            return httpx.Response(200, json=document)
        self.attempts += 1
        return self._answer(next(self._words), request)

    def _answer(self, word: str, request: httpx.Request) -> httpx.Response:
        match word.split():
            case ["posted"]:
                return httpx.Response(201, json=TRANSFER, headers=DECIDED)
            case ["cut"]:
                raise httpx.ReadError("reset", request=request)
            case ["silent"]:
                raise httpx.ReadTimeout("nothing", request=request)
            case ["unreachable"]:
                raise httpx.ConnectError("refused", request=request)
            case ["proxy", status]:
                return httpx.Response(int(status), text="Gateway Timeout")
            case ["202", *outcome]:
                self._outcome = " ".join(outcome)
                return httpx.Response(202, json=PENDING, headers=LOCATION)
            case [code, "at", "the", "door"]:
                return respond(code)
            case [code, "for", "long"]:
                return respond(code, **FOR_LONG)
            case [code]:
                return respond(code, **DECIDED)
        raise AssertionError(word)


async def end_of(words: str, *, sent_before: bool, give_up_after_s: float) -> tuple[str, int]:
    """What the caller is told, and after how many attempts."""
    script = Script(words)
    patience = Patience(
        give_up_after_s=give_up_after_s, first_pause_s=0.0001, longest_pause_s=0.0001
    )
    transport = httpx.MockTransport(script)
    async with httpx.AsyncClient(transport=transport, base_url="http://store") as client:
        try:
            posted = await StoreOfValue(client, patience).transfer(
                from_wallet_id="a",
                to_wallet_id="b",
                amount=Decimal(1),
                external_unique_id="order-1",
                description="",
                sent_before=sent_before,
            )
        except NotDone as not_done:
            return type(not_done).__name__, script.attempts
    assert posted == TRANSFER
    return "done", script.attempts


@cases("""
    answers                         | end     | attempts
    posted                          | done    | 1
    funds                           | Refused | 1
    invalid at the door             | Refused | 1
    same                            | Refused | 1
    clash                           | Refused | 1
    unreachable, posted             | done    | 2
    unreachable, same               | Refused | 2
    503, posted                     | done    | 2
    503, same                       | Refused | 2
    504, funds                      | Refused | 2
    cut, posted                     | done    | 2
    cut, same                       | done    | 2
    cut, clash                      | Refused | 2
    cut, funds                      | Refused | 2
    cut, 503, same                  | done    | 3
    cut, 504, funds                 | Refused | 3
    silent, same                    | done    | 2
    500, same                       | done    | 2
    proxy 504, same                 | done    | 2
    proxy 200, same                 | done    | 2
    202 posted                      | done    | 1
    202 funds                       | Refused | 1
    202 same                        | Refused | 1
    202 504, posted                 | done    | 2
    202 500, same                   | done    | 2
""")
async def test_retries_settle_what_became_of_the_money(row: dict[str, str]) -> None:
    end = await end_of(row["answers"], sent_before=False, give_up_after_s=60)
    assert end == (row["end"], int(row["attempts"]))


@cases("""
    answers                   | end         | attempts
    unreachable               | Unavailable | 1
    504                       | Unavailable | 1
    cut                       | Unsettled   | 1
    500                       | Unsettled   | 1
    proxy 503                 | Unsettled   | 1
    202                       | Unsettled   | 1
""")
async def test_without_more_time_the_end_says_what_is_known(row: dict[str, str]) -> None:
    end = await end_of(row["answers"], sent_before=False, give_up_after_s=0)
    assert end == (row["end"], int(row["attempts"]))


@cases("""
    answers                    | end         | attempts
    503 for long               | Unavailable | 1
    cut, 503 for long          | Unsettled   | 2
    cut, invalid at the door   | Unsettled   | 2
""")
async def test_a_refusal_at_the_door_says_nothing_of_the_attempts_before(
    row: dict[str, str],
) -> None:
    end = await end_of(row["answers"], sent_before=False, give_up_after_s=60)
    assert end == (row["end"], int(row["attempts"]))


@cases("""
    answers             | end       | attempts
    same                | done      | 1
    posted              | done      | 1
    clash               | Refused   | 1
    funds               | Refused   | 1
    503 for long        | Unsettled | 1
    invalid at the door | Unsettled | 1
""")
async def test_what_was_sent_before_is_settled_by_sending_it_again(row: dict[str, str]) -> None:
    end = await end_of(row["answers"], sent_before=True, give_up_after_s=60)
    assert end == (row["end"], int(row["attempts"]))


def test_every_code_of_ours_has_one_of_eclipse() -> None:
    assert set(ECLIPSE_CODES) == {str(code) for code in KINDS}


@pytest.mark.parametrize("code", KINDS, ids=str)
def test_eclipse_hears_who_is_to_blame(code: Code) -> None:
    made = answer(Refusal(code, "why"), instance="/v1/transfers", trace_id="4bf9")
    assert isinstance(made.content, dict)
    assert eclipse_error(made.content) == {
        "code": ECLIPSE_CODES[code],
        "description": "why",
        "severity": "LOW",
        "type": "SYSTEM" if KINDS[code].retryable else "BUSINESS",
        "traceId": "4bf9",
    }


def test_examples_import_nothing_of_ours() -> None:
    for path in sorted((ROOT / "examples").rglob("*.py")):
        assert not imports_of(path) & ALLOWED.keys(), path.name
