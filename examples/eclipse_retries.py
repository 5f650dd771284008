"""When to repeat a call, and what its answers say about the money.

The table of docs/eclipse.md, "Retries", as code: ``judge`` decides, the rest reads answers and
keeps the time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

import httpx

from examples.eclipse_errors import Json

_PROBLEM: Final = "application/problem+json"
_NO_CONTENT: Final = 204

#: Problems that no store of value wrote: for want of a connection, and for want of an answer.
NOT_SENT, NO_ANSWER = "not-sent", "no-answer"
#: What a duplicate carries of the original.
_ORIGINALS: Final = ("transfer", "wallet", "reservation")
#: The attempt that ended so moved nothing and never will. ``internal`` is not among them: an
#: operator may replay a command that met a defect.
_MOVED_NOTHING: Final = frozenset({"unavailable", "deadline-exceeded", "rate-limited", NOT_SENT})


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one attempt: a document, or a problem."""

    body: Json
    is_problem: bool = False
    decided: bool = False
    """The ledger itself refused, with the key in view, not the gateway at its door."""
    retry_after_s: float = 0.0


class Verdict(Enum):
    DONE = auto()
    REFUSED = auto()
    NOTHING_MOVED = auto()
    """Not by this attempt: to be repeated."""
    IN_DOUBT = auto()
    """Perhaps by this attempt: to be repeated, and remembered."""
    UNSETTLED = auto()
    """Not by this attempt, and it says nothing of the ones before; repeating now is no use."""


def judge(answer: Answer, *, in_doubt: bool) -> Verdict:
    """The retry table of docs/eclipse.md. ``in_doubt``: an earlier attempt may have done it."""
    if not answer.is_problem:
        return Verdict.DONE
    if answer.body["code"] in _MOVED_NOTHING:
        return Verdict.NOTHING_MOVED
    if answer.body["retryable"]:
        return Verdict.IN_DOUBT
    if not in_doubt:
        return Verdict.REFUSED
    if answer.body.get("samePayload") is True:
        return Verdict.DONE
    return Verdict.REFUSED if answer.decided else Verdict.UNSETTLED


def result_of(answer: Answer) -> Json:
    """What was asked for: the document itself, or the original that a duplicate carries."""
    if not answer.is_problem:
        return answer.body
    return next((answer.body[name] for name in _ORIGINALS if name in answer.body), {})


def read_answer(response: httpx.Response, trace_id: str) -> Answer:
    """The answer in a response. What a proxy on the way wrote is none, whatever its status."""
    if response.status_code == _NO_CONTENT:
        return Answer({})
    media_type = response.headers.get("content-type", "").partition(";")[0]
    if response.is_success and media_type == "application/json":
        return Answer(response.json())
    if response.is_error and media_type == _PROBLEM:
        return Answer(
            response.json(),
            is_problem=True,
            decided="sov-command-id" in response.headers,
            retry_after_s=float(response.headers.get("retry-after", 0)),
        )
    return no_answer(NO_ANSWER, f"somebody else answered: {response.status_code}", trace_id)


def no_answer(code: str, detail: str, trace_id: str) -> Answer:
    """A problem in the form of the others, for want of an answer."""
    problem = {
        "code": code,
        "detail": detail,
        "traceId": trace_id,
        "category": "SYSTEM",
        "retryable": True,
    }
    return Answer(problem, is_problem=True)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one call may take, in seconds."""

    wait_s: float = 5.0
    """How long the store of value may take for one attempt (``Prefer: wait``)."""
    margin_s: float = 2.0
    """How much longer the socket waits, so that a late but definite answer is still heard."""
    give_up_after_s: float = 30.0
    """No attempt starts later than this after the first."""
    first_pause_s: float = 0.1
    longest_pause_s: float = 5.0

    def pauses(self) -> Iterator[float]:
        """Doubling, and random, so that many callers do not come back together."""
        longest_s = self.first_pause_s
        while True:
            yield random.uniform(longest_s / 2, longest_s)  # noqa: S311 - spreads load, no secret
            longest_s = min(self.longest_pause_s, 2 * longest_s)


class Tries:
    """The time that one call has for all its attempts."""

    def __init__(self, patience: Patience, until_s: float) -> None:
        """``until_s`` is loop time."""
        self.until_s = until_s
        self._pauses = patience.pauses()

    async def pause(self, at_least_s: float = 0.0) -> bool:
        """Wait before the next one; answers False, at once, where there is no time for it."""
        pause_s = max(at_least_s, next(self._pauses))
        if asyncio.get_running_loop().time() + pause_s > self.until_s:
            return False
        await asyncio.sleep(pause_s)
        return True
