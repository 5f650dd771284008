"""The bank process of a town, as a process of its own that can be killed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.faults.processes import Process, started
from tests.integration.payout_town import Town, followed


def process(here: Town, log: Path, **settings: str) -> AbstractAsyncContextManager[Process]:
    access = here.play.access
    given = {
        "SOV_DATABASE_URL_BANKER": here.database.banker,
        "SOV_AMQP_URL_GATEWAY": here.broker.url,
        "SOV_BANK_API_URL": access.url,
        "SOV_BANK_CLIENT_ID": access.client_id,
        "SOV_BANK_CLIENT_SECRET": access.client_secret,
        "SOV_BANK_API_KEY": access.api_key,
        "SOV_BANK_POLL_S": "1",
        "SOV_BANK_DAYS_AHEAD": "30",
        **settings,
    }
    return started("bank", log, **given)


@asynccontextmanager
async def working(here: Town, folder: Path, **settings: str) -> AsyncIterator[Process]:
    """A process that follows the account."""
    async with process(here, folder / "bank.log", **settings) as running:
        await followed(here)
        yield running


async def approved(here: Town, wallet: str, amount: str, **more: Any) -> dict[str, Any]:
    payout = await here.ask(wallet, amount, **more)
    await here.said(payout, "approvals", "ben", "HELD")
    return payout


async def payments(here: Town) -> list[str]:
    """Our references of all that the bank took in."""
    return [payment["mine"] for payment in (await here.play.state())["payments"]]
