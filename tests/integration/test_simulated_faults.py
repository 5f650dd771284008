"""The simulated bank when things go wrong, and playing it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.integration.bank_caller import ACCOUNT, Caller, admitted, item
from tests.integration.simulated_bank import Play, simulated


@pytest.fixture
async def play(tmp_path: Path) -> AsyncIterator[Play]:
    async with simulated(tmp_path) as playing:
        await playing.credit(1000_00, "float")
        yield playing


@pytest.fixture
async def caller(play: Play) -> Caller:
    return await admitted(play)


async def test_a_burst_of_429_says_nothing_of_when(play: Play, caller: Caller) -> None:
    await play.fault(kind="status", status=429, times=2)
    for _ in range(2):
        refused = await caller.ask(f"{ACCOUNT}/balance")
        assert (refused.status_code, refused.content) == (429, b"")
        assert not {"retry-after", "ratelimit-reset"} & {name.lower() for name in refused.headers}
    assert (await caller.ask(f"{ACCOUNT}/balance")).status_code == 200


async def test_a_rate_that_nobody_publishes(play: Play, caller: Caller) -> None:
    await play.assume(most_requests_a_minute=3, error_body="json")
    answers = [await caller.ask(f"{ACCOUNT}/balance") for _ in range(4)]
    # The token's was the first.
    assert [each.status_code for each in answers] == [200, 200, 429, 429]
    assert "message" in answers[-1].json()


@pytest.mark.parametrize("kind", ["cut", "cut-after"])
async def test_the_line_goes_dead(play: Play, caller: Caller, kind: str) -> None:
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind=kind)
    with pytest.raises(httpx.TransportError):
        await caller.pay(item(to))
    assert len(await play.payments()) == (1 if kind == "cut-after" else 0)


async def test_an_answer_is_late_and_the_payment_made(play: Play, caller: Caller) -> None:
    to = await play.beneficiary("Thandi")
    await play.fault(route="payments", kind="delay-after", seconds=30)
    headers = {"Authorization": f"Bearer {caller.token}"}
    with pytest.raises(httpx.ReadTimeout):
        await play.http.post(
            f"{ACCOUNT}/paymultiple", json={"paymentList": [item(to)]}, headers=headers, timeout=0.3
        )
    assert len(await play.payments()) == 1


async def test_faults_strike_their_route_so_often(play: Play, caller: Caller) -> None:
    await play.fault(route="balance", kind="status", status=503, times=2)
    assert (await caller.ask("/za/pb/v1/accounts")).status_code == 200
    statuses = [(await caller.ask(f"{ACCOUNT}/balance")).status_code for _ in range(3)]
    assert statuses == [503, 503, 200]
    await play.fault(route="balance", kind="garbage-after", times=9)
    assert (await caller.ask(f"{ACCOUNT}/balance")).text == "<html>"
    await play.http.delete("/simulator/faults")
    assert (await caller.ask(f"{ACCOUNT}/balance")).status_code == 200


async def test_what_the_bank_has_is_kept(tmp_path: Path) -> None:
    async with simulated(tmp_path) as play:
        await play.credit(1000_00, "float")
        await play.assume(order="ascending")
        await play.advance(86_400 * 40)
        caller = await admitted(play)
        await caller.pay(item(await play.beneficiary("Thandi")))
        before = await play.state()
    async with simulated(tmp_path) as play:
        after = await play.state()
        for part in ("today", "assumptions", "accounts", "beneficiaries", "payments"):
            assert after[part] == before[part]
        await play.post("reset", {})
        fresh = await play.state()
        assert (fresh["rows"], fresh["payments"], fresh["beneficiaries"]) == ([], [], [])
        assert fresh["today"] != before["today"]
        assert [each["accountId"] for each in fresh["accounts"]] == [play.account_id]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "rows", {"accountId": "1", "amountCents": 1}, 404),
        ("POST", "rows", {"accountId": "1", "amountCents": -1}, 400),
        ("POST", "rows", {"accountId": "1"}, 400),
        ("POST", "rows/77", {"what": "settle"}, 404),
        ("POST", "rows/77", {"what": "burn"}, 400),
        ("POST", "payments/UBP1", {"what": "approve"}, 404),
        ("POST", "clock", {"advanceS": -1}, 400),
        ("POST", "faults", {"kind": "earthquake"}, 400),
        ("PATCH", "assumptions", {"order": "random"}, 400),
        ("PATCH", "assumptions", {"unknown": 1}, 400),
        ("PATCH", "assumptions", [], 400),
        ("PUT", "scopes", {"scopes": ["all"]}, 400),
    ],
)
async def test_what_cannot_be_played(
    play: Play, method: str, path: str, body: object, status: int
) -> None:
    answer = await play.http.request(method, f"/simulator/{path}", json=body)
    assert (answer.status_code, "error" in answer.json()) == (status, True)


async def test_assumptions_change_one_by_one_and_go_back(play: Play) -> None:
    await play.assume(order="shuffled")
    await play.assume(most_rows=5)
    assumed = (await play.state())["assumptions"]
    assert (assumed["order"], assumed["most_rows"]) == ("shuffled", 5)
    await play.http.delete("/simulator/assumptions")
    assert (await play.state())["assumptions"]["order"] == "descending"


async def test_the_bank_s_day_has_an_offset(play: Play) -> None:
    days = []
    for offset in (-12, 14):
        await play.assume(utc_offset_h=offset)
        days.append((await play.state())["today"])
    assert days[0] < days[1]


async def test_a_body_that_comes_slowly_holds_nothing(play: Play) -> None:
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def slowly() -> AsyncIterator[bytes]:
        yield b'{"advanceS": '
        begun.set()
        await go_on.wait()
        yield b"1}"

    slow = asyncio.create_task(play.http.post("/simulator/clock", content=slowly()))
    try:
        await begun.wait()
        assert (await play.http.get("/simulator/state")).status_code == 200
        await play.credit(1_00, "meanwhile")
    finally:
        go_on.set()
        answer = await slow
    assert answer.status_code == 200
