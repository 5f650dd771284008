"""A bulk job while all it needs is killed in turn: each line is posted once, or refused once."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import signal
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import httpx

from cli.servers import processes
from tests.acceptance.conftest import sov
from tests.polling import eventually
from tests.simulation.system import System, brought_up

#: Enough that each kill comes in the middle.
LINES = 100_000
WALLETS = 200
#: Every so many lines one cannot be paid, and one repeats an earlier key.
POOR, REPEATED = 50, 70


def row_of(line: int) -> tuple[str, str, str, str]:
    source = "poor-wallet" if line % POOR == 0 else f"wallet-{line % WALLETS:04}"
    target = f"wallet-{(line * 7 + 1) % WALLETS:04}"
    number = line - 1 if line % REPEATED == 0 else line
    if source == target:
        target = f"wallet-{(line + 1) % WALLETS:04}"
    return source, target, "1.00", f"line-{number:06}"


def written(file: Path, header: str, rows: list[tuple[str, ...]]) -> Path:
    file.write_text("\n".join([header, *(",".join(row) for row in rows), ""]))
    return file


class Job:
    """`./sov bulk` against the system, from a machine that has a key."""

    def __init__(self, system: System, home: Path) -> None:
        self.system = system
        self.environment: Mapping[str, str] = {
            **system.environment,
            "SOV_HOME": str(home),
            "SOV_URL": system.url,
            "SOV_KEY_BATCH": system.keys["operator"],
        }

    async def bulk(self, *arguments: str, expect: int = 0) -> str:
        return await sov(self.environment, "bulk", *arguments, expect=expect)

    async def posted(self) -> int:
        """Lines that are decided, -1 while nobody answers."""
        headers = {"Authorization": f"Bearer {self.system.keys['operator']}"}
        try:
            async with httpx.AsyncClient(base_url=self.system.url, headers=headers) as http:
                answer = await http.get("/v1/batches/job")
        except httpx.HTTPError:
            return -1
        if answer.status_code != 200:
            return -1
        document = answer.json()
        return int(document["posted"]) + int(document["rejected"])

    async def gone_on(self) -> None:
        """Wait until more is decided than now."""
        before = -1
        while before < 0:
            before = await self.posted()
            await asyncio.sleep(0.05)

        async def further() -> bool:
            now = await self.posted()
            return now > before or now == LINES

        await eventually(further, within_s=90)


async def test_everything_is_killed_during_a_job(tmp_path: Path) -> None:
    async with brought_up() as system:
        job = Job(system, tmp_path / "home")
        await fund(job, tmp_path)
        file = written(
            tmp_path / "job.csv",
            "fromExternalUniqueId,toExternalUniqueId,amount,externalUniqueId",
            [row_of(line) for line in range(LINES)],
        )
        client = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "bulk", "submit", str(file), "--id", "job"),
            env=dict(job.environment),
        )

        async def arriving() -> bool:
            return client.returncode is not None or await job.posted() >= 0

        await eventually(arriving, within_s=30)
        if client.returncode is None:
            client.kill()
        await client.wait()
        await job.bulk("submit", str(file), "--id", "job")
        for kind in ("bulk", "consumer", "gateway", "rabbitmq", "postgresql", "bulk"):
            await job.gone_on()
            victim = system.child(kind) or system.server(kind)
            print(f"{await job.posted()} decided, {kind} is killed")
            if victim is not None:
                processes.send(victim, signal.SIGKILL)
        said = await job.bulk("status", "job", "--watch", "--json", expect=3)
        document = json.loads(said)
        assert (document["status"], document["lines"]) == ("DONE", LINES)
        await eventually(lambda: ready(system), within_s=60)
        await compare(job)
        assert await system.broken_rules() == []


async def ready(system: System) -> bool:
    return system.all_ready()


async def fund(job: Job, folder: Path) -> None:
    names = [f"wallet-{n:04}" for n in range(WALLETS)]
    headers = {"Authorization": f"Bearer {job.system.keys['operator']}"}
    async with httpx.AsyncClient(base_url=job.system.url, headers=headers, timeout=30) as http:
        body = {"externalUniqueId": "the-system", "currency": "ZAR", "type": "SYSTEM"}
        assert (await http.post("/v1/wallets", json=body)).status_code == 201
    wallets = written(
        folder / "wallets.csv",
        "externalUniqueId,currency",
        [(name, "ZAR") for name in (*names, "poor-wallet")],
    )
    await job.bulk("submit", str(wallets), "--kind", "wallets", "--watch")
    funds = written(
        folder / "funds.csv",
        "fromExternalUniqueId,toExternalUniqueId,amount,externalUniqueId",
        [("the-system", name, "1000000", f"fund-{name}") for name in names],
    )
    await job.bulk("submit", str(funds), "--watch")


async def compare(job: Job) -> None:
    """Every line's word with the books."""
    results = list(csv.DictReader(io.StringIO(await job.bulk("results", "job"))))
    books = await asyncpg.connect(job.system.database_url, server_settings={"search_path": "sov"})
    try:
        rows = await books.fetch(
            "SELECT external_unique_id, transfer_id FROM transfers"
            " WHERE external_unique_id LIKE 'line-%'"
        )
    finally:
        await books.close()
    posted = {row["external_unique_id"]: str(row["transfer_id"]) for row in rows}
    assert [int(result["line"]) for result in results] == list(range(2, LINES + 2))
    words = Counter(result["status"] for result in results)
    assert words["POSTED"] == len(posted)
    told = {r["externalUniqueId"]: r["transferId"] for r in results if r["status"] == "POSTED"}
    assert told == posted
    for line, result in enumerate(results):
        source, _, _, key = row_of(line)
        assert result["externalUniqueId"] == key
        if source == "poor-wallet" and line % REPEATED:
            assert (result["status"], result["code"]) == ("REJECTED", "insufficient-funds"), result
        elif result["status"] == "REJECTED":
            assert line % REPEATED == 0 or (line + 1) % REPEATED == 0, result
            assert result["code"] in ("duplicate-transfer", "insufficient-funds"), result
        else:
            assert result["status"] == "POSTED", result
