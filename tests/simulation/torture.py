"""``python -m tests.simulation.torture``: a system under load and faults, then the audit.

Exit code 0 only if nothing was lost, doubled or answered wrongly, the books hold, and the service
came back by itself after every fault.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import secrets
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import httpx

from tests.simulation import faults
from tests.simulation.auditor import audit_books
from tests.simulation.calls import Caller, Patience
from tests.simulation.clients import Client, World
from tests.simulation.faults import Fault
from tests.simulation.history import Heard, History, Kind, Operation
from tests.simulation.probe import Probe, longest_gap
from tests.simulation.report import Report, Struck
from tests.simulation.settling import Settler
from tests.simulation.system import System, brought_up

_CLIENTS: Final = 8
_WALLETS: Final = 6
_OVERDRAFT_MINOR: Final = -5_000
_BACK_WITHIN_S: Final = 60.0
_SETTLED_WITHIN_S: Final = 90.0
_ASKED_AGAIN: Final = 300
#: A gateway waits two seconds for a confirm before it answers without one.
_CONFIRM_S: Final = 2.5

Say = Callable[[str], None]


class Run:
    """One run against a system that is up."""

    def __init__(self, system: System, http: httpx.AsyncClient, lone: httpx.AsyncClient, seed: int):
        self._system, self._seed = system, seed
        self._rng = random.Random(f"{seed} faults")
        self.history = History()
        self._operator = Caller(http, self.history, system.keys["operator"])
        self._caller = Caller(http, self.history, system.keys["eclipse"])
        self._lone = Caller(lone, self.history, system.keys["eclipse"])
        self.settler = Settler(self._caller)
        self.struck: list[Struck] = []

    async def play(self, lasting_s: float, say: Say) -> Report:
        """Faults beside traffic for that long, each kind at least once; then the audit."""
        world, probe = await self._found_town()
        begun_s = time.monotonic()
        stop = asyncio.Event()
        async with asyncio.TaskGroup() as traffic:
            traffic.create_task(probe.run(stop))
            for number in range(_CLIENTS):
                rng = random.Random(f"{self._seed} client {number}")
                client = Client(f"client-{number}", rng, self._caller, world, self.settler)
                traffic.create_task(client.run(stop))
            await self._until_back(probe, begun_s)
            await self._strike(probe, begun_s + lasting_s, say)
            stop.set()
        ended_s = time.monotonic()
        say("settling what is unknown")
        never_settled = await self.settler.finish(_SETTLED_WITHIN_S, self._unconfirmed)
        await self._ask_again()
        say("auditing")
        return Report(
            seed=self._seed,
            lasted_s=ended_s - begun_s,
            history=self.history,
            struck=self.struck,
            longest_gap_s=longest_gap(probe.successes, begun_s, ended_s),
            settled_after_s=self.settler.settled_after_s,
            never_settled=never_settled,
            findings=await audit_books(self.history, self._system.database_url),
            broken_rules=await self._system.broken_rules(),
        )

    async def _found_town(self) -> tuple[World, Probe]:
        run = f"{self._seed}-{secrets.token_hex(3)}"
        bank = await self._open(f"w-{run}-bank", "SYSTEM", 0)
        wallets = [
            await self._open(f"w-{run}-{n}", "STANDARD", _OVERDRAFT_MINOR if n < 2 else 0)
            for n in range(_WALLETS)
        ]
        of_probe = await self._open(f"w-{run}-probe", "STANDARD", 0)
        probe = Probe(self._lone, self.settler, bank, of_probe, run)
        return World(run, bank, wallets), probe

    async def _open(self, key: str, wallet_type: str, minimum: int) -> str:
        opened = await self._operator.call(
            "founder",
            Kind.WALLET,
            key=key,
            request={"type": wallet_type, "minimum": minimum},
            patience=Patience.of(10.0),
        )
        if opened.heard is not Heard.OK or opened.answer is None:
            raise RuntimeError(f"a wallet could not be opened: {opened}")
        return str(opened.answer["walletId"])

    async def _strike(self, probe: Probe, until_s: float, say: Say) -> None:
        """One fault after the other, each once the service is back from the one before."""
        for number, chosen in enumerate(faults.schedule(self._rng)):
            if number >= len(faults.FAULTS) and time.monotonic() > until_s:
                return
            await asyncio.sleep(self._rng.uniform(0.2, 2.0))
            struck = await self._strike_once(probe, chosen)
            self.struck.append(struck)
            back = "NOT BACK" if struck.recovery_s is None else f"back {struck.recovery_s:.1f} s"
            lasted_s = struck.healed_s - struck.begun_s
            say(f"{struck.name}: {lasted_s:.1f} s, {back} after, gap {struck.gap_s:.1f} s")
            if struck.back_s is None:
                return

    async def _strike_once(self, probe: Probe, chosen: tuple[Fault, ...]) -> Struck:
        begun_s = time.monotonic()
        async with asyncio.TaskGroup() as injecting:
            for fault in chosen:
                injecting.create_task(fault.inject(self._system, self._rng))
        healed_s = time.monotonic()
        back_s = await self._until_back(probe, healed_s)
        return Struck(
            faults=tuple(fault.name for fault in chosen),
            begun_s=begun_s,
            healed_s=healed_s,
            back_s=back_s,
            gap_s=longest_gap(probe.successes, begun_s, time.monotonic()),
            promised_s=max(fault.promised_s for fault in chosen),
        )

    async def _until_back(self, probe: Probe, since_s: float) -> float | None:
        while time.monotonic() < since_s + _BACK_WITHIN_S:
            back_s = probe.back_since(since_s)
            if back_s is not None:
                return back_s
            await asyncio.sleep(0.1)
        return None

    def _unconfirmed(self, operation: Operation) -> bool:
        """Whether the call met a broker that was dead, stalled or cut off."""
        return any(
            struck.begun_s - _CONFIRM_S < operation.ended_s
            and (struck.back_s is None or operation.invoked_s < struck.back_s)
            for struck in self.struck
            if any(name in faults.OF_BROKER for name in struck.faults)
        )

    async def _ask_again(self) -> None:
        """A sample of the calls that had their final answer, over the whole run."""
        answered = [
            op
            for op in self.history.writes()
            if op.heard is not Heard.UNKNOWN and op.command_id is not None
        ]
        sample = self._rng.sample(answered, min(_ASKED_AGAIN, len(answered)))
        await self.settler.ask_again(sample)


async def torture(lasting_s: float, seed: int, save: Path | None, say: Say) -> Report:
    """A whole run in a temporary home of its own. ``save``: a folder for history and logs."""
    say(f"seed {seed}: bringing a system up")
    async with brought_up() as system:
        # The probe connects anew each time, as a caller who has just come does.
        alone = httpx.Limits(max_keepalive_connections=0)
        async with (
            httpx.AsyncClient(base_url=system.url, trust_env=False) as http,
            httpx.AsyncClient(base_url=system.url, trust_env=False, limits=alone) as lone,
        ):
            run = Run(system, http, lone, seed)
            try:
                return await run.play(lasting_s, say)
            finally:
                if save is not None:
                    await asyncio.to_thread(_save, run.history, system, save)


def _save(history: History, system: System, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    history.write(folder / "history.ndjson")
    system.save_logs(folder)


async def _main(arguments: argparse.Namespace) -> int:
    me = asyncio.current_task()
    if me is not None:  # so that what was started is stopped, too
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)
    seed = secrets.randbelow(1_000_000) if arguments.seed is None else arguments.seed
    report = await torture(arguments.minutes * 60, seed, arguments.save, _say)
    for line in report.lines():
        sys.stdout.write(line + "\n")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(report.as_json(), indent=1) + "\n")
    return 0 if report.holds else 1


def _say(line: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {line}\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="sov torture", description=__doc__)
    parser.add_argument("--minutes", type=float, default=5.0, help="how long (default 5)")
    parser.add_argument("--seed", type=int, help="repeat a run's choices (default: a new one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="the report as JSON, too")
    parser.add_argument("--save", type=Path, metavar="FOLDER", help="keep history and logs there")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(_arguments())))
