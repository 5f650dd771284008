"""Pausing partitions: told to callers, recorded, and over when it is resumed."""

from __future__ import annotations

import httpx

from tests.acceptance.conftest import System
from tests.polling import eventually


async def test_a_pause_is_told_and_ends(system: System) -> None:
    await system.sov("partitions", "pause", "all", "--reason", "a test of pausing")
    try:
        async with httpx.AsyncClient(
            base_url=system.url, headers=system.headers("operator"), timeout=35
        ) as http:
            answers: list[httpx.Response] = []

            async def told(status: int) -> bool:
                body = {"externalUniqueId": f"paused-{len(answers):04}", "currency": "ZAR"}
                answers.append(await http.post("/v1/wallets", json=body))
                return answers[-1].status_code == status

            await eventually(lambda: told(503))
            assert "paused: a test of pausing" in answers[-1].json()["detail"]
            assert int(answers[-1].headers["Retry-After"]) > 0
            assert (await http.get("/v1/wallets")).status_code == 200
            await system.sov("partitions", "resume", "all", "--reason", "over")
            await eventually(lambda: told(201))
    finally:
        await system.sov("partitions", "resume", "all", "--reason", "over")
    await system.sov("partitions", "pause", "99", "--reason", "no such", expect=1)


async def test_a_pause_needs_a_reason(system: System) -> None:
    await system.sov("partitions", "pause", "0", expect=2)
    await system.sov("partitions", "pause", "0", "--reason", "  ", expect=1)
