"""Every class of refusal, provoked in the system and heard in Eclipse's words."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, Final

import pytest

from examples.eclipse_adapter import StoreOfValue
from examples.eclipse_errors import NotDone
from examples.eclipse_retries import Patience
from ledger import keys
from ledger.database import connect_owner
from ledger.keys import Scope
from tests.acceptance.conftest import System
from tests.acceptance.eclipse_town import RAND, Town, connected, new_town, open_system_wallet

NOBODY: Final = "01900000-0000-7000-8000-000000000000"
#: Ours, Eclipse's, and who is to blame.
Told = tuple[str, str, str]


@pytest.fixture
async def town(system: System) -> AsyncIterator[Town]:
    async with new_town(system) as town:
        yield town


async def told(call: Awaitable[Any]) -> Told:
    with pytest.raises(NotDone) as not_done:
        await call
    (error,) = not_done.value.errors
    assert error["description"]
    assert error["traceId"]
    assert error["severity"] == "LOW"
    return not_done.value.problem["code"], error["code"], error["type"]


async def test_refusals_of_a_transfer(system: System, town: Town) -> None:
    wallets = town.wallets
    async with connected(system, role="operator") as operator:
        wallets["dollars"] = await open_system_wallet(operator, town.key("dollars"), "USD")
        for name, status in (("friend", "FROZEN"), ("atm", "CLOSED")):
            change = await operator.patch(f"/v1/wallets/{wallets[name]}", json={"status": status})
            assert change.status_code == 200, change.text

    async def of(name: str, to: str = "bank", **changed: Any) -> Told:
        return await told(town.pay(to, name, **changed))

    assert await of("too-much", amount=RAND + 1) == ("insufficient-funds", "SOV001", "BUSINESS")
    assert await of("too-fine", amount=Decimal("0.001")) == ("invalid-amount", "VAL001", "BUSINESS")
    assert await of("top-up") == ("duplicate-transfer", "SOV003", "BUSINESS")
    assert await of("nobody", to_wallet_id=NOBODY) == ("unknown-wallet", "ARCH086", "BUSINESS")
    assert await of("no-id", to_wallet_id="30341") == ("unknown-wallet", "ARCH086", "BUSINESS")
    assert await of("itself", to="customer") == ("same-wallet", "SOV004", "BUSINESS")
    assert await of("dollars", to="dollars") == ("currency-mismatch", "SOV005", "BUSINESS")
    assert await of("to-closed", to="atm") == ("wallet-closed", "SOV008", "BUSINESS")
    assert await of("k", external_unique_id="short") == ("invalid-request", "VAL001", "BUSINESS")
    frozen, bank = wallets["friend"], wallets["bank"]
    assert await of("frozen", from_wallet_id=frozen) == ("wallet-frozen", "SOV007", "BUSINESS")
    assert await of("too-large", to="customer", from_wallet_id=bank, amount=Decimal(10) ** 15) == (
        "limit-exceeded",
        "SOV006",
        "BUSINESS",
    )


async def test_refusals_of_the_other_calls(town: Town) -> None:
    store = town.store
    assert await told(store.balance(NOBODY)) == ("wallet-not-found", "ARCH086", "BUSINESS")
    assert await told(
        store.create_wallet(external_unique_id=town.key("friend"), currency="ZAR", name="other")
    ) == ("duplicate-wallet", "SOV003", "BUSINESS")
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert await told(town.hold("late", past)) == ("invalid-request", "VAL001", "BUSINESS")
    await town.hold("held")
    assert await told(town.hold("more")) == ("insufficient-funds", "SOV001", "BUSINESS")
    assert await told(town.hold("held")) == ("duplicate-reservation", "SOV003", "BUSINESS")


async def test_refusals_of_an_api_key(system: System, town: Town) -> None:
    async def asked_with(key: str) -> None:
        async with connected(system) as client:
            client.headers["Authorization"] = f"Bearer {key}"
            store = StoreOfValue(client, Patience(give_up_after_s=0.5))
            await asyncio.gather(*(store.balance(town.wallets["customer"]) for _ in range(3)))

    connection = await connect_owner(system.database_url)
    try:
        slow = await keys.create(connection, town.key("slow"), [Scope.ECLIPSE], rate=1)
    finally:
        await connection.close()
    assert await told(asked_with(slow)) == ("rate-limited", "RLT001", "SYSTEM")
    assert await told(asked_with("no-such-key")) == ("unauthenticated", "SEC001", "BUSINESS")
    async with connected(system, role="reader") as client:
        reading = town.pay("atm", "reading", StoreOfValue(client))
        assert await told(reading) == ("forbidden", "SEC001", "BUSINESS")
