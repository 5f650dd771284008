"""From the bank's statement to somebody's wallet, with the product's own parts."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest

from tests.integration.banks import Branch, branch, of
from tests.servers import Servers


@pytest.fixture
async def town(servers: Servers, template: str, tmp_path: Path) -> AsyncIterator[Branch]:
    async with branch(servers, template, tmp_path) as ready:
        yield ready


async def test_a_deposit_finds_its_wallet(town: Branch) -> None:
    await town.running.wallet("alice-01")
    reference = await town.reference("alice-01")
    await town.play.credit(100_00, f"eft {reference[:4]} {reference[4:].lower()}. may")
    await town.play.credit(50_00, "who knows")
    await town.play.credit(1_50, "MONTHLY FEE", type="DEBIT")
    async with town.bank():
        rows = await town.booked(3)
        assert of(rows, "purpose") == [("INSIDE",), ("NOTHING_FOUND",), ("BANK_CHARGE",)]
        assert await town.balance("alice-01") == Decimal(100)
        assert await town.suspense() == Decimal(50)
        assert await town.charges() == Decimal("-1.50")
        assert await town.control() == Decimal("-148.50")
    await town.assert_ties()
    assert await town.exceptions() == []
