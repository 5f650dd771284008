"""Every call of the contract, over HTTP, through the queue, on real books."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from gateway import schemas
from tests.integration import gateways
from tests.integration.gateways import NOBODY, Running, code, in_an_hour
from tests.polling import eventually
from tests.servers import Servers


@pytest.fixture(scope="module")
async def town(servers: Servers, template: str) -> AsyncIterator[Running]:
    async with gateways.town(servers, template) as running:
        yield running


async def test_a_wallet_from_opening_to_closing(town: Running) -> None:
    wallet_id = await town.wallet("life-01", "10.00", name="Life", metadata={"a": "b"})
    path = f"/v1/wallets/{wallet_id}"
    wallet = await town.get(path)
    schemas.Wallet.model_validate(wallet)
    assert wallet["currentBalance"] == wallet["availableBalance"] == "10.00"
    again = await town.post("/v1/wallets", {"externalUniqueId": "life-01", "currency": "ZAR"})
    assert code(again) == (409, "duplicate-wallet")
    assert again.json()["wallet"]["walletId"] == wallet_id

    changed = await town.http.patch(path, json={"status": "FROZEN", "name": "Cold"})
    assert (changed.json()["status"], changed.json()["name"]) == ("FROZEN", "Cold")
    refused = await town.post("/v1/transfers", payment("life-01", "system-zar", "1", "life-key-1"))
    assert code(refused) == (409, "wallet-frozen")
    await town.http.patch(path, json={"status": "ACTIVE"})
    assert code(await town.http.patch(path, json={"status": "CLOSED"})) == (409, "wallet-not-empty")
    await town.paid("life-01", "system-zar", "10", "life-key-2")
    assert (await town.http.patch(path, json={"status": "CLOSED"})).json()["status"] == "CLOSED"
    assert code(await town.http.patch(path, json={"name": "x"})) == (409, "wallet-closed")


def payment(source: str, target: str, amount: Any, key: str, **more: Any) -> dict[str, Any]:
    return {
        "fromExternalUniqueId": source,
        "toExternalUniqueId": target,
        "amount": amount,
        "externalUniqueId": key,
        **more,
    }


async def test_a_transfer_and_what_is_known_of_it(town: Running) -> None:
    a, b = await town.wallet("pay-a-01", "100"), await town.wallet("pay-b-01")
    body = {
        "fromWalletId": a,
        "toWalletId": b.upper(),
        "amount": 60.5,
        "externalUniqueId": "pay-key-01",
        "description": "Groceries 😀",
        "externalId": "slip-1",
        "metadata": {"k": "v"},
    }
    posted = await town.post("/v1/transfers", body)
    assert posted.status_code == 201
    transfer = posted.json()
    schemas.Transfer.model_validate(transfer)
    assert (transfer["fromBalance"], transfer["toBalance"]) == ("39.50", "60.50")
    assert posted.headers["location"] == f"/v1/transfers/{transfer['transferId']}"
    assert await town.get(posted.headers["location"]) == transfer
    found = await town.get("/v1/transfers", externalUniqueId="pay-key-01")
    assert found == {"items": [transfer], "nextCursor": None}
    limited = await town.get("/v1/transfers", externalUniqueId="pay-key-01", limit=1)
    assert limited == found

    again = await town.post("/v1/transfers", {**body, "amount": "60.500"})
    assert code(again) == (409, "duplicate-transfer")
    assert again.json()["samePayload"] is True
    assert again.json()["transfer"] == transfer
    other = await town.post("/v1/transfers", {**body, "amount": "1"})
    assert other.json()["samePayload"] is False
    garbage = await town.post("/v1/transfers", {**body, "fromWalletId": "garbage"})
    assert code(garbage) == (409, "duplicate-transfer")


REFUSALS: list[tuple[dict[str, Any], tuple[int, str]]] = [
    ({"amount": "100.01"}, (422, "insufficient-funds")),
    ({"amount": "1.001"}, (422, "invalid-amount")),
    ({"amount": "90000000000000000"}, (422, "limit-exceeded")),
    ({"toExternalUniqueId": "refuse-a"}, (422, "same-wallet")),
    ({"toExternalUniqueId": "refuse-yen"}, (422, "currency-mismatch")),
    ({"currency": "JPY"}, (422, "currency-mismatch")),
    ({"toExternalUniqueId": "nobody-there"}, (422, "unknown-wallet")),
    (
        {"toExternalUniqueId": None, "toWalletId": "0198f0a4-2c8e-7d31-9f0e-3a5b8c1d2e4f"},
        (422, "unknown-wallet"),
    ),
    ({"toExternalUniqueId": None, "toWalletId": "garbage"}, (422, "unknown-wallet")),
]


@pytest.fixture(scope="module")
async def refusing(town: Running) -> None:
    await town.wallet("refuse-a", "100")
    await town.wallet("refuse-b")
    await town.wallet("refuse-yen", currency="JPY")


@pytest.mark.usefixtures("refusing")
@pytest.mark.parametrize("number", range(len(REFUSALS)))
@pytest.mark.parametrize("only_check", [False, True])
async def test_refusals_are_the_same_checked_and_carried_out(
    town: Running, number: int, only_check: bool
) -> None:
    change, expected = REFUSALS[number]
    body = {**payment("refuse-a", "refuse-b", 1, f"refuse-key-{number}"), **change}
    answer = await town.post("/v1/transfers", {**body, "onlyCheck": only_check})
    assert code(answer) == expected, answer.text
    assert ("sov-command-id" in answer.headers) == (not only_check)


@pytest.mark.usefixtures("refusing")
async def test_a_check_moves_nothing_and_needs_no_key(town: Running) -> None:
    body = {**payment("refuse-a", "refuse-b", 100, ""), "onlyCheck": True}
    del body["externalUniqueId"]
    answer = await town.post("/v1/transfers", body)
    assert (answer.status_code, answer.json()) == (200, {"wouldSucceed": True})
    assert (await town.get("/v1/wallets", externalUniqueId="refuse-b"))["items"][0][
        "currentBalance"
    ] == "0.00"


async def test_reversals(town: Running) -> None:
    await town.wallet("back-a", "100")
    await town.wallet("back-b")
    original = await town.paid("back-a", "back-b", "50", "back-key-1")
    path = f"/v1/transfers/{original['transferId']}/reversals"
    part = await town.post(path, {"amount": 20}, **{"Idempotency-Key": '"back-key-2"'})
    assert part.status_code == 201, part.text
    assert part.json()["reversalOf"] == original["transferId"]
    assert part.json()["amount"] == "20.00"
    rest = await town.post(path, {"externalUniqueId": "back-key-3", "description": "rest"})
    assert rest.json()["amount"] == "30.00"
    more = await town.post(path, {"externalUniqueId": "back-key-4", "amount": "0.01"})
    assert code(more) == (409, "reversal-exceeds-original")
    path = f"/v1/transfers/{rest.json()['transferId']}/reversals"
    again = await town.post(path, {"externalUniqueId": "back-key-5"})
    assert code(again) == (409, "reversal-exceeds-original")
    nothing = await town.post(f"/v1/transfers/{NOBODY}/reversals", {"externalUniqueId": "nokey1"})
    assert code(nothing) == (404, "transfer-not-found")


async def test_groups(town: Running) -> None:
    await town.wallet("group-a", "100")
    await town.wallet("group-b")
    legs = [
        payment("group-a", "group-b", "100", "group-leg-1"),
        payment("group-b", "group-a", "100.01", "group-leg-2"),
    ]
    refused = await town.post("/v1/transfer-groups", {"transfers": legs})
    assert code(refused) == (422, "insufficient-funds")
    assert refused.json()["index"] == 1
    legs[1]["amount"] = "99.999"
    too_fine = await town.post("/v1/transfer-groups", {"transfers": legs})
    assert too_fine.json()["errors"][0]["pointer"] == "/transfers/1/amount"
    legs[1]["amount"] = "100"
    whole = await town.post(
        "/v1/transfer-groups", {"transfers": legs, "externalUniqueId": "group-1"}
    )
    assert whole.status_code == 201, whole.text
    schemas.TransferGroup.model_validate(whole.json())
    assert {t["groupId"] for t in whole.json()["transfers"]} == {whole.json()["groupId"]}
    again = await town.post(
        "/v1/transfer-groups", {"transfers": legs, "externalUniqueId": "group-1"}
    )
    assert code(again) == (409, "duplicate-group")
    assert again.json()["groupId"] == whole.json()["groupId"]


async def test_a_key_that_is_used_up_is_said_before_a_wallet_that_is_none(town: Running) -> None:
    await town.wallet("order-a", "10")
    await town.wallet("order-b")
    await town.paid("order-a", "order-b", "1", "order-key-1")
    nobody = {"fromWalletId": "garbage", "toWalletId": NOBODY, "amount": 1}
    used = {**nobody, "externalUniqueId": "order-key-1"}
    fresh = {**nobody, "externalUniqueId": "order-key-2"}
    for path, body, expected in (
        ("/v1/transfers", used, (409, "duplicate-transfer")),
        ("/v1/transfers", {**used, "onlyCheck": True}, (409, "duplicate-transfer")),
        ("/v1/transfer-groups", {"transfers": [used, fresh]}, (409, "duplicate-transfer")),
        ("/v1/transfer-groups", {"transfers": [fresh, used]}, (422, "unknown-wallet")),
        ("/v1/transfers", fresh, (422, "unknown-wallet")),
    ):
        answer = await town.post(path, body)
        assert code(answer) == expected, answer.text
        late = await town.post(path, body, **{"Sov-Deadline": "2020-01-01T00:00:00Z"})
        assert code(late) == (504, "deadline-exceeded")
        assert late.headers.get("sov-command-id") is None


async def test_a_name_is_no_id(town: Running) -> None:
    """Not even that of a wallet: a client that mixes the two up must hear of it."""
    await town.wallet("mixed-up-1", "10")
    other = await town.wallet("mixed-up-2")
    body = {
        "fromWalletId": "mixed-up-1",
        "toWalletId": other,
        "amount": 1,
        "externalUniqueId": "mixed-key-1",
    }
    assert code(await town.post("/v1/transfers", body)) == (422, "unknown-wallet")


async def test_a_group_names_each_key_once(town: Running) -> None:
    await town.wallet("twice-a", "10")
    await town.wallet("twice-b")
    leg = payment("twice-a", "twice-b", "1", "twice-key-1")
    refused = await town.post("/v1/transfer-groups", {"transfers": [leg, leg]})
    assert code(refused) == (422, "invalid-request"), refused.text
    assert refused.json()["index"] == 1
    assert (await town.get("/v1/transfers", externalUniqueId="twice-key-1"))["items"] == []


async def test_reservations(town: Running) -> None:
    wallet_id = await town.wallet("hold-a", "100")
    await town.wallet("hold-b")
    path = f"/v1/wallets/{wallet_id}/reservations"
    bodies = [
        {
            "amount": amount,
            "sessionId": session,
            "expires": in_an_hour(),
            "externalUniqueId": f"hold-{n:04}",
        }
        for n, (amount, session) in enumerate(
            [("10", "session-1"), (20, "session-1"), (30, "session-2")]
        )
    ]
    placed = [await town.post(path, body) for body in bodies]
    assert [p.status_code for p in placed] == [201] * 3
    schemas.Reservation.model_validate(placed[0].json())
    assert await town.get(placed[0].headers["location"]) == placed[0].json()
    assert code(await town.post(path, bodies[0])) == (409, "duplicate-reservation")
    balance = await town.get(f"/v1/wallets/{wallet_id}/balance")
    schemas.Balance.model_validate(balance)
    assert (balance["availableBalance"], balance["reservations"]) == ("40.00", "60.00")

    page = await town.get(path, limit=2)
    assert len(page["items"]) == 2
    rest = await town.get(path, limit=2, cursor=page["nextCursor"])
    assert page["items"] + rest["items"] == [p.json() for p in placed]
    assert rest["nextCursor"] is None
    of_session = await town.get(path, sessionId="session-1")
    assert of_session["items"] == [p.json() for p in placed[:2]]

    released = await town.http.delete(placed[0].headers["location"])
    assert (released.status_code, released.content) == (204, b"")
    assert "sov-command-id" in released.headers
    for answer in (
        await town.http.delete(placed[0].headers["location"]),
        await town.http.get(placed[0].headers["location"]),
    ):
        assert code(answer) == (404, "reservation-not-found")
    spent = await town.paid("hold-a", "hold-b", "5", "hold-spend", sessionId="session-2")
    assert [r["amount"] for r in spent["releasedReservations"]] == ["30.00"]
    assert (await town.http.delete(f"{path}?sessionId=session-1")).status_code == 204
    assert (await town.get(path))["items"] == []
    late = {**bodies[0], "externalUniqueId": "hold-late", "expires": "2020-01-01T00:00:00Z"}
    refused = await town.post(path, late)
    assert code(refused) == (422, "invalid-request")
    assert refused.json()["errors"][0]["pointer"] == "/expires"
    nobody = await town.http.get(f"/v1/wallets/{NOBODY}/reservations")
    assert code(nobody) == (404, "wallet-not-found")


async def test_a_commands_status_says_what_its_caller_was_told(town: Running) -> None:
    wallet_id = await town.wallet("told-a", "10")
    await town.wallet("told-b")
    reservations = f"/v1/wallets/{wallet_id}/reservations"
    answers = [
        await town.post("/v1/transfers", payment("told-a", "told-b", 1, "told-key-1")),
        await town.post("/v1/transfers", payment("told-a", "told-b", 1, "told-key-1")),
        await town.post("/v1/transfers", payment("told-a", "told-b", 100, "told-key-2")),
        await town.post("/v1/wallets", {"externalUniqueId": "told-c", "currency": "ZAR"}),
        await town.http.patch(f"/v1/wallets/{wallet_id}", json={"name": "Told"}),
        await town.http.delete(f"{reservations}?sessionId=session-9"),
        await town.post(
            "/v1/transfer-groups", {"transfers": [payment("told-a", "told-b", 1, "told-key-3")]}
        ),
    ]
    for answer in answers:
        told = await town.get(f"/v1/commands/{answer.headers['sov-command-id']}")
        schemas.Command.model_validate(told)
        assert told["status"] == ("APPLIED" if answer.is_success else "REJECTED")
        assert told["outcome"]["httpStatus"] == answer.status_code
        expected = answer.json() if answer.content else None
        assert without_trace(told["outcome"]["body"]) == without_trace(expected)


def without_trace(document: Any) -> Any:
    """Each call has a trace of its own."""
    return {k: v for k, v in document.items() if k != "traceId"} if document else document


async def test_nobody_waits(town: Running) -> None:
    await town.wallet("async-a", "10")
    await town.wallet("async-b")
    sent = await town.post(
        "/v1/transfers", payment("async-a", "async-b", 1, "async-key"), Prefer="respond-async"
    )
    assert sent.status_code == 202
    assert sent.headers["preference-applied"] == "respond-async"

    async def applied() -> Any:
        status = await town.get(sent.headers["location"])
        return status if status["status"] != "PENDING" else None

    status = await eventually(applied)
    assert status["status"] == "APPLIED"
    assert status["finalBy"] == sent.json()["finalBy"]
    assert status["outcome"]["body"]["externalUniqueId"] == "async-key"


async def test_the_same_key_many_times_at_once_moves_once(town: Running) -> None:
    await town.wallet("race-a", "100")
    await town.wallet("race-b")
    answers = await asyncio.gather(
        *(town.post("/v1/transfers", payment("race-a", "race-b", 1, "race-key")) for _ in range(50))
    )
    assert sorted(a.status_code for a in answers) == [201] + [409] * 49
    assert len({a.json().get("transfer", a.json())["transferId"] for a in answers}) == 1
