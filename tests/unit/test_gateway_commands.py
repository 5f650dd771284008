"""What becomes of a call: which command, how it is waited for, what is refused before."""

from __future__ import annotations

import asyncio
import json
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from gateway.bodies import NewTransfer, validated
from gateway.movements import movement, require_sides
from gateway.problems import Refusal
from gateway.reading import parse_document
from ledger.commands import (
    WALLET_KEY_LENGTH,
    ChangeWallet,
    CreateWallet,
    PlaceReservation,
    PostTransfer,
    PostTransferGroup,
    ReleaseReservation,
    ReleaseSession,
    Submission,
    WalletRef,
)
from ledger.records import WalletStatus, WalletType
from ledger.rejections import Code, Rejection
from tests.tables import cases
from tests.unit.gateway_calls import COMMAND_ID, NOW, Bench, wallet_id
from topology.envelopes import decode_commands, encode_commands, encode_submission
from topology.errors import Unavailable

W1, W2 = str(wallet_id(1)), str(wallet_id(2))
TRANSFER = {
    "fromWalletId": W1,
    "toWalletId": W2,
    "amount": "10.50",
    "externalUniqueId": "key-0001",
}


@pytest.fixture(scope="module")
def application() -> Bench:
    return Bench()


@pytest.fixture
def bench(application: Bench) -> Bench:
    application.connect()
    return application


class TestCommands:
    """Which command a call becomes."""

    async def sent(self, bench: Bench, method: str, path: str, body: Any = None) -> Any:
        async with bench.client("operator") as client:
            answer = await client.request(method, path, json=body)
        assert answer.status_code == 202, answer.text
        (command,) = bench.sender.sent
        return command

    async def test_transfer(self, bench: Bench) -> None:
        body = {**TRANSFER, "sessionId": "session-1", "metadata": {"a": "b"}}
        assert await self.sent(bench, "POST", "/v1/transfers", body) == PostTransfer(
            from_wallet=WalletRef(wallet_id(1)),
            to_wallet=WalletRef(wallet_id(2)),
            amount=Decimal("10.5"),
            external_unique_id="key-0001",
            session_id="session-1",
            metadata={"a": "b"},
        )

    async def test_transfer_by_names(self, bench: Bench) -> None:
        body = {**TRANSFER, "fromExternalUniqueId": "wallet-a"}
        del body["fromWalletId"]
        command = await self.sent(bench, "POST", "/v1/transfers", body)
        assert command.from_wallet == WalletRef(external_unique_id="wallet-a")

    async def test_ids_that_are_none_are_names_that_nobody_has(self, bench: Bench) -> None:
        body = {**TRANSFER, "fromWalletId": "no", "toWalletId": "customer-4711"}
        command = await self.sent(bench, "POST", "/v1/transfers", body)
        assert command.from_wallet == WalletRef(external_unique_id="no")
        assert command.to_wallet == WalletRef(external_unique_id="cust…")
        for ref in (command.from_wallet, command.to_wallet):
            assert len(ref.external_unique_id) < WALLET_KEY_LENGTH[0]

    async def test_group(self, bench: Bench) -> None:
        body = {"transfers": [TRANSFER, {**TRANSFER, "externalUniqueId": "key-0002"}]}
        command = await self.sent(bench, "POST", "/v1/transfer-groups", body)
        assert isinstance(command, PostTransferGroup)
        assert [t.external_unique_id for t in command.transfers] == ["key-0001", "key-0002"]
        assert command.external_unique_id is None

    async def test_wallet(self, bench: Bench) -> None:
        body = {"externalUniqueId": "wallet-1", "currency": "ZAR", "minimumBalance": -5}
        assert await self.sent(bench, "POST", "/v1/wallets", body) == CreateWallet(
            "wallet-1", "ZAR", minimum_balance=Decimal(-5)
        )

    async def test_system_wallet(self, bench: Bench) -> None:
        body = {"externalUniqueId": "wallet-1", "currency": "ZAR", "type": "SYSTEM"}
        command = await self.sent(bench, "POST", "/v1/wallets", body)
        assert command.type is WalletType.SYSTEM

    async def test_change(self, bench: Bench) -> None:
        body = {"status": "FROZEN"}
        assert await self.sent(bench, "PATCH", f"/v1/wallets/{W1}", body) == ChangeWallet(
            wallet_id(1), status=WalletStatus.FROZEN
        )

    async def test_reservation(self, bench: Bench) -> None:
        body = {
            "amount": 1,
            "sessionId": "session-1",
            "expires": "2026-03-24T12:00:00+02:00",
            "externalUniqueId": "held-0001",
        }
        path = f"/v1/wallets/{W1}/reservations"
        assert await self.sent(bench, "POST", path, body) == PlaceReservation(
            wallet_id(1), Decimal(1), "session-1", NOW, "held-0001"
        )

    async def test_releases(self, bench: Bench) -> None:
        path = f"/v1/wallets/{W1}/reservations"
        one = await self.sent(bench, "DELETE", f"{path}/{W2}")
        assert one == ReleaseReservation(wallet_id(1), wallet_id(2))
        bench.sender.sent.clear()
        session = await self.sent(bench, "DELETE", f"{path}?sessionId=session-1")
        assert session == ReleaseSession(wallet_id(1), "session-1")


REFUSED = """
    case                   | method | path                          | status
    no key                 | POST   | /v1/transfers                 | 400
    both sides             | POST   | /v1/transfers                 | 422
    no side                | POST   | /v1/transfers                 | 422
    no session             | DELETE | /v1/wallets/{w}/reservations  | 422
    nothing to change      | PATCH  | /v1/wallets/{w}               | 422
    unknown parameter      | POST   | /v1/transfers?wait=1          | 422
    member without key     | POST   | /v1/transfer-groups           | 400
    no such original       | POST   | /v1/transfers/{w}/reversals   | 404
    limit of a system      | POST   | /v1/wallets                   | 422
"""
BODIES: dict[str, Any] = {
    "no key": {k: v for k, v in TRANSFER.items() if k != "externalUniqueId"},
    "both sides": {**TRANSFER, "toExternalUniqueId": "wallet-b"},
    "no side": {k: v for k, v in TRANSFER.items() if k != "toWalletId"},
    "no session": None,
    "nothing to change": {},
    "unknown parameter": TRANSFER,
    "member without key": {"transfers": [{**TRANSFER, "externalUniqueId": None}]},
    "no such original": {"externalUniqueId": "back-0001"},
    "limit of a system": {
        "externalUniqueId": "wallet-1",
        "currency": "ZAR",
        "type": "SYSTEM",
        "minimumBalance": -1,
    },
}


@cases(REFUSED)
async def test_calls_that_become_no_command(bench: Bench, row: dict[str, str]) -> None:
    async with bench.client("operator") as client:
        path = row["path"].format(w=W1)
        answer = await client.request(row["method"], path, json=BODIES[row["case"]])
    assert answer.status_code == int(row["status"]), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert not bench.sender.sent


async def test_what_only_operators_may(bench: Bench) -> None:
    async with bench.client("eclipse") as client:
        wallet = {"externalUniqueId": "wallet-1", "currency": "ZAR"}
        for answer in (
            await client.post("/v1/wallets", json={**wallet, "type": "SYSTEM"}),
            await client.post("/v1/wallets", json={**wallet, "minimumBalance": -5}),
            await client.patch(f"/v1/wallets/{W1}", json={"minimumBalance": 0}),
        ):
            assert answer.json()["code"] == "forbidden", answer.text
        answer = await client.post("/v1/wallets", json={**wallet, "minimumBalance": "0.00"})
        assert answer.status_code == 202


class TestWaiting:
    async def post(self, bench: Bench, **headers: str) -> httpx.Response:
        async with bench.client() as client:
            return await client.post("/v1/transfers", json=TRANSFER, headers=headers)

    async def test_no_outcome_in_time(self, bench: Bench) -> None:
        answer = await self.post(bench, Prefer="wait=0.5")
        assert answer.status_code == 202
        assert answer.headers["preference-applied"] == "wait=0.5"
        assert answer.headers["location"] == f"/v1/commands/{answer.json()['commandId']}"
        assert answer.json()["status"] == "PENDING"
        assert bench.sender.asked[0]["wait_s"] == 0.5
        assert bench.sender.asked[0]["actor"] == "k1"

    async def test_looking_things_up_counts_as_waiting(self, bench: Bench) -> None:
        """A caller that has given up must not move money later."""
        answer = await self.post(bench)
        assert answer.status_code == 202
        assert 0 < bench.sender.asked[0]["spent_s"] < 5
        bench.sender.sent.clear()
        bench.books.silent = True
        body = {**TRANSFER, "fromExternalUniqueId": "wallet-a"}
        del body["fromWalletId"]
        reversal = f"/v1/transfers/{W1}/reversals"
        async with asyncio.timeout(4), bench.client() as client:
            for path, document in (
                ("/v1/transfers", body),
                ("/v1/transfer-groups", {"transfers": [body]}),
                (reversal, {"externalUniqueId": "back-0001"}),
            ):
                answer = await client.post(path, json=document, headers={"Prefer": "wait=0.1"})
                assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
        assert not bench.sender.sent

    async def test_a_deadline_that_has_passed_is_said_first(self, bench: Bench) -> None:
        late = {"Sov-Deadline": "2026-03-24T09:59:59Z"}
        nobody = {**TRANSFER, "fromWalletId": "nobody"}
        async with bench.client() as client:
            for path, body in {
                "/v1/transfers": nobody,
                "/v1/transfers?": {**nobody, "onlyCheck": True},
                "/v1/transfer-groups": {"transfers": [nobody]},
                f"/v1/transfers/{W1}/reversals": {"externalUniqueId": "back-0001"},
            }.items():
                answer = await client.post(path, json=body, headers=late)
                assert (answer.status_code, answer.json()["code"]) == (504, "deadline-exceeded")
        assert not bench.sender.sent

    async def test_nobody_waits(self, bench: Bench) -> None:
        bench.sender.result = Rejection(Code.SAME_WALLET, "not looked at")
        answer = await self.post(
            bench, **{"Prefer": "respond-async", "Sov-Deadline": "2026-03-24T11:00:00Z"}
        )
        assert answer.status_code == 202
        assert bench.sender.asked[0]["deadline"].hour == 11

    async def test_the_trace_goes_along(self, bench: Bench) -> None:
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        bench.sender.result = Rejection(Code.SAME_WALLET, "why")
        answer = await self.post(bench, traceparent=f"00-{trace}-00f067aa0ba902b7-01")
        assert answer.json()["traceId"] == bench.sender.asked[0]["trace"] == trace
        assert "queue;dur=" in answer.headers["server-timing"]

    async def test_refused_by_the_broker(self, bench: Bench) -> None:
        bench.sender.result = Unavailable("blocked", retry_after_s=5)
        answer = await self.post(bench)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
        assert answer.json()["retryable"] is True

    async def test_nothing_is_sent_while_the_database_is_down(self, bench: Bench) -> None:
        bench.clock.problem = "does not answer"
        assert (await self.post(bench)).status_code == 503
        assert not bench.sender.sent

    async def test_nothing_is_there_yet(self) -> None:
        assert (await self.post(Bench())).status_code == 503

    async def test_a_defect_is_told_without_its_words(self, bench: Bench) -> None:
        with capture_logs() as lines:
            bench.sender.result = RuntimeError("secret")
            answer = await self.post(bench)
        assert (answer.status_code, answer.json()["code"]) == (500, "internal")
        assert "secret" not in answer.text
        assert [line["trace_id"] for line in lines] == [answer.json()["traceId"]]


characters = st.characters(exclude_categories=["Cs"], exclude_characters="\0")
words = st.text(characters, min_size=5, max_size=101)


@given(
    st.fixed_dictionaries(
        {
            "amount": st.decimals("0.0001", 10**16, places=4).map(str),
            "fromWalletId": st.uuids().map(str),
            "toWalletId": st.uuids().map(str),
        },
        optional={
            "externalUniqueId": words,
            "description": words,
            "sessionId": words,
            "externalId": words,
            "currency": st.sampled_from(["ZAR", "JPY"]),
            "metadata": st.dictionaries(words, words, max_size=21),
        },
    )
)
def test_what_passes_makes_a_command_that_can_be_read(document: dict[str, Any]) -> None:
    """Commands of many callers share a message: one that cannot be read would take all of them."""
    try:
        body = validated(NewTransfer, parse_document(json.dumps(document).encode()))
        require_sides(body)
        command = movement(body, body.external_unique_id or "key-0001", {})
    except Refusal:
        return
    sent = Submission(COMMAND_ID, NOW, NOW, "k1", command, "t")
    message = decode_commands(encode_commands(1, NOW, None, [encode_submission(sent)]))
    assert message.submissions == (sent,)
