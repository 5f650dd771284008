"""Unknown calls are settled by what a system would say, answer by answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest

from tests.simulation.calls import Caller
from tests.simulation.history import History, Kind, Operation
from tests.simulation.settling import Settler

COMMAND = "a" * 36
MOVEMENT = {"from": "a", "to": "b", "amount": 1, "session": None}
Says = Callable[[httpx.Request], httpx.Response]


def unknown(history: History, command_id: str | None, *, a_day: bool = False) -> Operation:
    """A transfer that heard 202, or nothing."""
    wait_s = None if a_day else 0.0
    made = history.invoke("c", Kind.TRANSFER, key="key-1", request=MOVEMENT, wait_s=wait_s)
    if command_id is None:
        history.broken(made, OSError("cut"))
    else:
        history.answered(made, 202, {"status": "PENDING"}, command_id)
    made.invoked_s -= 10.0  # its deadline is long past
    return made


async def settle(says: Says, command_id: str | None, *, a_day: bool = False) -> Operation:
    history = History()
    made = unknown(history, command_id, a_day=a_day)
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(says), base_url="http://system"
    ) as http:
        settler = Settler(Caller(http, history, "key"))
        settler.settle(made)
        assert await settler.finish(10.0, lambda _: a_day, drained_after_s=0.1) == 0
    return made


def system(
    word: str, repeated: Iterator[tuple[int, dict[str, Any]]], items: list[Any] | None = None
) -> Says:
    """Says ``word`` of the command, lists ``items`` for the key, answers repetitions in turn."""

    def says(request: httpx.Request) -> httpx.Response:
        if "/commands/" in request.url.path:
            outcome = {"httpStatus": 201, "body": {}}
            return httpx.Response(200, json={"status": word, "outcome": outcome})
        if request.method == "GET":
            return httpx.Response(200, json={"items": items or []})
        status, body = next(repeated)
        headers = {} if status == 503 else {"Sov-Command-Id": "b" * 36}
        return httpx.Response(status, json=body, headers=headers)

    return says


@pytest.mark.parametrize(
    ("answers", "applied", "word"),
    [
        ([(201, {})], False, "absent"),
        ([(409, {"code": "duplicate-transfer"})], True, "duplicate-transfer"),
        ([(422, {"code": "insufficient-funds"})], False, "insufficient-funds"),
        # Not accepted, or refused before the key was looked at: neither tells.
        ([(503, {"code": "unavailable"}), (201, {})], False, "absent"),
        (
            [(504, {"code": "deadline-exceeded"}), (409, {"code": "duplicate-transfer"})],
            True,
            "duplicate-transfer",
        ),
    ],
)
async def test_a_call_that_heard_nothing_is_settled_by_repeating_it(
    answers: list[tuple[int, dict[str, Any]]], applied: bool, word: str
) -> None:
    settled = (await settle(system("", iter(answers)), None)).by_key
    assert settled is not None
    assert (settled.applied, settled.word) == (applied, word)


async def test_a_key_that_is_found_needs_no_repetition() -> None:
    made = await settle(system("APPLIED", iter(()), [{"transferId": "x"}]), COMMAND)
    assert made.by_key is not None
    assert made.by_key.applied
    assert made.by_command is not None
    assert made.by_command.applied


async def test_a_command_never_confirmed_may_be_pending_for_its_day() -> None:
    made = await settle(system("PENDING", iter([(201, {})])), COMMAND, a_day=True)
    assert made.by_command is not None
    assert (made.by_command.applied, made.by_command.word) == (False, "PENDING")


@pytest.mark.parametrize("a_day", [True, False])
async def test_any_other_pending_command_is_never_settled(a_day: bool) -> None:
    history = History()
    made = unknown(history, COMMAND, a_day=a_day)
    says = system("PENDING", iter([(201, {})]))
    async with httpx.AsyncClient(
        transport=httpx.MockTransport(says), base_url="http://system"
    ) as http:
        settler = Settler(Caller(http, history, "key"))
        settler.settle(made)
        assert await settler.finish(2.0, lambda _: False, drained_after_s=0.1) == 1
    assert made.by_command is None
