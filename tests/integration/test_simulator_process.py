"""``./sov bank simulator``: a bank of its own, which remembers."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx
import pytest

from bank.investec.access import Access
from bank.investec.client import Investec
from bank.investec.records import Payment
from cli.home import Home, path_for_children
from cli.simulated_bank import NAME, SimulatedBank
from tests.polling import eventually


@pytest.fixture
def here(tmp_path: Path) -> Home:
    return Home(tmp_path / ".sov")


@asynccontextmanager
async def running(here: Home, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "bank", "simulator", *arguments),
        env={**without_ours(os.environ), **path_for_children({}), "SOV_HOME": str(here.folder)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith("SOV_")}


async def answering(here: Home) -> SimulatedBank:
    async def asked() -> SimulatedBank | None:
        port = here.kept.port(NAME)
        if port is None:
            return None
        bank = SimulatedBank(here, port)
        try:
            async with httpx.AsyncClient(base_url=bank.url) as http:
                await http.get("/simulator/state")
        except httpx.TransportError:
            return None
        return bank

    found = await eventually(asked, within_s=30)
    assert found is not None
    return found


def access_of(bank: SimulatedBank) -> Access:
    told = bank.for_bank()
    return Access(
        told["SOV_BANK_API_URL"],
        told["SOV_BANK_CLIENT_ID"],
        told["SOV_BANK_CLIENT_SECRET"],
        told["SOV_BANK_API_KEY"],
    )


async def test_killed_it_remembers_and_is_found_where_it_was(here: Home) -> None:
    async with running(here) as process:
        bank = await answering(here)
        async with httpx.AsyncClient(base_url=bank.url) as http:
            (account,) = (await http.get("/simulator/state")).json()["accounts"]
            credit = {"accountId": account["accountId"], "amountCents": 70_00}
            assert (await http.post("/simulator/rows", json=credit)).status_code == 200
        process.kill()
        await process.wait()
    async with running(here) as process:
        assert await answering(here) == bank
        async with Investec.connected(access_of(bank)) as client:
            assert (await client.balance(account["accountId"])).current == 70
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_it_says_how_to_use_it_and_has_a_port_of_ones_choice(here: Home) -> None:
    async with running(here):
        port = (await answering(here)).port
    async with running(here, "--port", str(port)) as process:
        assert process.stderr is not None
        said = [(await process.stderr.readline()).decode() for _ in range(3)]
        assert f"export SOV_BANK_API_URL=http://127.0.0.1:{port}\n" in said


async def test_no_two_of_them_have_the_same_books(here: Home) -> None:
    async with running(here):
        await answering(here)
        async with running(here) as second:
            out, _ = await second.communicate()
            assert second.returncode == 1
            assert b"database is locked" in out


async def test_without_secrets_it_does_not_begin(tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bank.simulator"),
        env={
            **without_ours(os.environ),
            **path_for_children({}),
            "SOV_BANK_SIMULATOR_BOOKS": str(tmp_path / "bank.sqlite"),
        },
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 1
    assert b"SOV_BANK_CLIENT_SECRET" in out


async def played(here: Home, *arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "bank", "play", *arguments),
        env={**without_ours(os.environ), **path_for_children({}), "SOV_HOME": str(here.folder)},
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    assert process.returncode == 0
    return out.decode().strip()


async def test_a_person_plays_it(here: Home) -> None:
    async with running(here):
        bank = await answering(here)
        row_id = await played(here, "credit", "100.50", "rent", "--later")
        await played(here, "row", row_id, "settle")
        to = await played(here, "beneficiary", "Thandi", "62000000001", "--paid", "2026-01-05")
        today = await played(here, "clock", "0")
        async with Investec.connected(access_of(bank)) as client:
            (account,) = await client.accounts()
            found = await client.transactions(account.account_id, *[date.fromisoformat(today)] * 2)
            (row,) = found.read
            assert (row.amount, row.description) == (Decimal("100.50"), "rent")
            (known,) = await client.beneficiaries()
            assert (known.beneficiary_id, known.last_paid) == (to, date(2026, 1, 5))
            taken = await client.pay(account.account_id, Payment(to, Decimal(1), "P-1", "thanks"))
        await played(here, "payment", taken.payment_reference, "return")
        state = json.loads(await played(here, "state"))
        assert [each["state"] for each in state["payments"]] == ["RETURNED"]
