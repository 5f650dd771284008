"""A system's processes: started as the supervisor would, watched, and stopped in its order."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Final
from uuid import uuid4

import httpx
from prometheus_client.parser import text_string_to_metric_families

from bench.installation import Installation
from bench.processor import Spent, spent
from bench.systems import System
from cli.servers.postgres_conf import MEBIBYTE
from cli.supervision.child import Plan
from gateway.server import open_socket
from topology.vitals import LIFELINE

_READY_S: Final = 60.0
_DRAIN_S: Final = 12.0
#: Longer than a slow batch takes: what moves within this has not settled.
_SETTLE_S: Final = 0.4
_SETTLED_S: Final = 30.0
_POLL_S: Final = 0.05
#: The counter of the gateway's answers, as it is called once it is read.
_ANSWERS: Final = "sov_http_requests"


class Ended(Exception):
    """A process of the system under measurement ended by itself."""


@dataclass(frozen=True, slots=True)
class _Process:
    plan: Plan
    popen: subprocess.Popen[bytes]


@dataclass(frozen=True, slots=True)
class Running:
    """A system that answers."""

    system: System
    installation: Installation
    port: int
    http: httpx.AsyncClient
    processes: Sequence[_Process]

    def require_alive(self) -> None:
        """Raises ``Ended``: whatever was measured meanwhile is worth nothing."""
        for process in self.processes:
            if process.popen.poll() is not None:
                lines = process.plan.log.read_text(errors="replace").splitlines()[-5:]
                words = "\n".join(lines)
                raise Ended(f"{process.plan.name} ended by itself; its last words:\n{words}")

    async def statuses(self) -> dict[str, int]:
        """How many calls below /v1 were answered so far, by status and code. "0": callers that left
        before their answer."""
        found: dict[str, int] = {}
        text = (await self.http.get("/metrics")).raise_for_status().text
        for family in text_string_to_metric_families(text):
            if family.name != _ANSWERS:
                continue
            for sample in family.samples:
                if sample.name.endswith("_total") and sample.labels["route"].startswith("/v1"):
                    name = f"{sample.labels['status']} {sample.labels['code']}".strip()
                    found[name] = found.get(name, 0) + int(sample.value)
        return found

    async def settled_statuses(self) -> dict[str, int]:
        """The same once nothing is on its way any more: callers who hung up are counted late, and
        what they asked for is still decided. Raises ``TimeoutError``."""
        async with asyncio.timeout(_SETTLED_S):
            last = None
            while True:
                now = await self.statuses(), await self.installation.decided()
                if now == last:
                    return now[0]
                last = now
                await asyncio.sleep(_SETTLE_S)

    def memory(self) -> tuple[dict[str, float], dict[str, float]]:
        """Resident and proportional MiB of each process."""
        both = {p.plan.name: _memory_mib(p.popen.pid) for p in self.processes}
        return {n: m[0] for n, m in both.items()}, {n: m[1] for n, m in both.items()}

    def processor(self) -> Spent:
        """What the system, the servers and the load generators have used up so far."""
        pids = {p.plan.name: p.popen.pid for p in self.processes}
        return spent(pids, self.installation.servers.kept)

    async def until_ready(self) -> None:
        """Until a transfer of a cent comes through. Raises ``Ended`` or ``TimeoutError``."""
        first, second, *_ = self.installation.wallets
        async with asyncio.timeout(_READY_S):
            while True:
                self.require_alive()
                body = {
                    "fromWalletId": first,
                    "toWalletId": second,
                    "amount": "0.01",
                    "externalUniqueId": f"probe-{uuid4()}",
                }
                try:
                    answer = await self.http.post("/v1/transfers", json=body)
                except httpx.TransportError:
                    await asyncio.sleep(_POLL_S)
                    continue
                if answer.status_code == httpx.codes.CREATED:
                    return
                await asyncio.sleep(_POLL_S)


@asynccontextmanager
async def running(system: System, installation: Installation) -> AsyncIterator[Running]:
    """The system on the installation's books, for the time of the block."""
    listening = open_socket("127.0.0.1", 0)
    # As under the supervisor: whoever holds the other end of the pipe is gone, they end.
    theirs, ours = os.pipe()
    processes: list[_Process] = []
    try:
        for plan in system.plans(installation, listening.fileno()):
            started = _started(plan, theirs)
            processes.append(_Process(plan, started))
        port = listening.getsockname()[1]
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Authorization": f"Bearer {installation.key}"},
            timeout=10,
            trust_env=False,
        ) as http:
            run = Running(system, installation, port, http, processes)
            await run.until_ready()
            yield run
        run.require_alive()
    finally:
        await _stop(processes)
        listening.close()
        os.close(theirs)
        os.close(ours)


def _started(plan: Plan, lifeline: int) -> subprocess.Popen[bytes]:
    with plan.log.open("ab") as log:
        return subprocess.Popen(
            plan.arguments,
            env={**plan.environment, LIFELINE: str(lifeline)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            pass_fds=(*plan.inherits, lifeline),
            start_new_session=True,  # a Ctrl-C reaches us alone: we decide who stops first
        )


async def _stop(processes: Sequence[_Process]) -> None:
    """Stage by stage, lower ones first; who does not drain in time is killed."""
    for _, stage in groupby(sorted(processes, key=_stage), key=_stage):
        members = [process.popen for process in stage]
        for popen in members:
            if popen.poll() is None:
                popen.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _DRAIN_S
        while any(popen.poll() is None for popen in members):
            if time.monotonic() > deadline:
                for popen in members:
                    popen.kill()
            await asyncio.sleep(_POLL_S)


def _stage(process: _Process) -> int:
    return process.plan.stage


def _memory_mib(pid: int) -> tuple[float, float]:
    fields = _kilobytes(Path(f"/proc/{pid}/smaps_rollup").read_text())
    return fields["Rss"] * 1024 / MEBIBYTE, fields["Pss"] * 1024 / MEBIBYTE


def _kilobytes(rollup: str) -> Mapping[str, int]:
    """The lines ``Name:   1234 kB``."""
    words = [line.split() for line in rollup.splitlines()]
    return {w[0].rstrip(":"): int(w[1]) for w in words if len(w) == 3 and w[2] == "kB"}
