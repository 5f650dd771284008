"""What a new user does first: up, demo, the README's transfer, status, verify, down."""

from __future__ import annotations

import asyncio
import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import httpx
import pytest

from cli.home import ROOT
from cli.servers.throwaway import temporary_folder
from tests.acceptance.conftest import environment_of, exported, sov
from tests.polling import eventually


@pytest.fixture(scope="module")
async def home() -> AsyncIterator[Mapping[str, str]]:
    """A home of its own with private servers, exactly as ``./sov up`` makes them."""
    folder = temporary_folder("sov-first-")
    environment = environment_of(folder)
    try:
        await sov(environment, "up", "--detach")
        yield environment
    finally:
        await sov(environment, "down", "--wipe")
        shutil.rmtree(folder)


async def test_the_demo_plays_the_race_and_the_books_hold(home: Mapping[str, str]) -> None:
    told = await sov(home, "demo")
    for step in (
        "insufficient-funds",
        "duplicate-transfer",
        "customer: current 0.00, available 0.00",
        "rules of the books hold",
    ):
        assert step in told
    assert "the books hold" in await sov(home, "verify")
    report = json.loads(await sov(home, "verify", "--json"))
    assert report["holds"]
    assert {"rule": "chain-is-unbroken", "holds": True, "offenders": []} in report["rules"]


async def test_the_demo_of_the_bank_ends_with_a_tie_out(home: Mapping[str, str]) -> None:
    told = await sov(home, "demo", "bank")
    for step in (
        "tenant: current 1250.00, available 850.00",
        "UNKNOWN",
        "SETTLED",
        "tenant: current 850.00, available 850.00",
        "rules of the books hold",
    ):
        assert step in told
    # What it left behind disturbs no second one.
    assert "SETTLED" in await sov(home, "demo", "bank")


async def test_the_transfer_of_the_readme_works_when_pasted(home: Mapping[str, str]) -> None:
    text = (ROOT / "README.md").read_text()
    snippet = text.split("```bash\n")[1].split("```")[0]
    pasted = snippet.replace("./sov ", f"{shlex.quote(sys.executable)} -m cli ")
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", pasted, env=home, stdout=subprocess.PIPE
    )
    out, _ = await asyncio.wait_for(process.communicate(), 60)
    transfer, balance = (json.loads(line) for line in out.decode().splitlines())
    assert (transfer["status"], transfer["amount"]) == ("POSTED", "100.00")
    assert balance["availableBalance"] == "100.00"


async def test_status_says_what_runs(home: Mapping[str, str]) -> None:
    status = json.loads(await sov(home, "status", "--json"))
    names = {p["name"] for p in status["processes"]}
    assert {"postgresql", "rabbitmq", "gateway", "consumer", "relay", "bank"} <= names
    assert (status["bank"]["kind"], "bank-simulator" in names) == ("simulator", True)
    assert "bank: simulator" in await sov(home, "status")
    assert status["running"] is True
    assert all(p["state"] == "ready" for p in status["processes"])
    assert len(status["partitions"]) == 8


async def test_keys_work_at_once_and_end_within_seconds(home: Mapping[str, str]) -> None:
    url = exported(await sov(home, "env"))["SOV_URL"]
    key = (await sov(home, "keys", "create", "till-7", "--scope", "reader")).strip()
    headers = {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=url, headers=headers) as client:
        assert (await client.get("/v1/wallets")).status_code == 200
        forbidden = await client.post("/v1/wallets", json={})
        assert (forbidden.status_code, forbidden.json()["code"]) == (403, "forbidden")
        assert "till-7" in await sov(home, "keys", "list")
        await sov(home, "keys", "create", "till-7", "--scope", "reader", expect=1)
        await sov(home, "keys", "revoke", "till-7")

        async def refused() -> bool:
            return (await client.get("/v1/wallets")).status_code == 401

        await eventually(refused, within_s=5)


async def test_a_second_up_changes_nothing(home: Mapping[str, str]) -> None:
    before = json.loads(await sov(home, "status", "--json"))
    assert "already running" in await sov(home, "up")
    after = json.loads(await sov(home, "status", "--json"))
    assert [p["pid"] for p in after["processes"]] == [p["pid"] for p in before["processes"]]


async def test_there_are_no_dead_letters(home: Mapping[str, str]) -> None:
    assert "no open dead letters" in await sov(home, "dead-letters", "list")


async def test_down_leaves_nothing_running_and_the_books_survive(tmp_path: Path) -> None:
    folder = temporary_folder("sov-again-")
    environment = environment_of(folder)
    try:
        await sov(environment, "up", "--detach")
        first = exported(await sov(environment, "env"))
        assert (await _open_wallet(first))["status"] == "ACTIVE"
        await sov(environment, "down")
        await sov(environment, "status", expect=3)
        assert str(folder) not in _processes()
        await sov(environment, "up", "--detach")
        again = exported(await sov(environment, "env"))
        assert again == first
        assert (await _open_wallet(again))["code"] == "duplicate-wallet"
    finally:
        await sov(environment, "down", "--wipe")
        shutil.rmtree(folder)


async def _open_wallet(shown: Mapping[str, str]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {shown['SOV_KEY_ECLIPSE']}"}
    async with httpx.AsyncClient(base_url=shown["SOV_URL"], headers=headers) as client:
        body = {"externalUniqueId": "survivor-1", "currency": "ZAR"}
        answer: dict[str, str] = (await client.post("/v1/wallets", json=body)).json()
        return answer


def _processes() -> str:
    """The command lines of everything that runs."""
    lines = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(process.read_text().replace("\0", " "))
        except OSError:
            continue
    return "\n".join(lines)
