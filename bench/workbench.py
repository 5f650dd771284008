"""What every scenario works with: servers, sizes, the systems as tuned, and where results go."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bench.effort import Effort
from bench.filling import filling
from bench.installation import Installation, Servers, installed
from bench.load import Ask, closed_loop
from bench.open_loop import open_loop
from bench.results import Arrivals, Audit, Load, Results, unexpected
from bench.running import Running, running
from bench.systems import Direct, Single, System
from cli.servers.places import Say
from ledger.database import connect_owner

_CREATED: Final = ("201",)
_ANSWERED: Final = ("200", "201")


@dataclass(slots=True)
class Workbench:
    """One run of the benchmark."""

    servers: Servers
    effort: Effort
    results: Results
    generator: Path
    """The open loop's program."""
    say: Say
    direct: Direct | None = None
    """The baselines, once it is known how they are fastest (``tuning``)."""
    single: Single | None = None
    _seeds: int = 0
    _names: int = 0

    def seed(self) -> int:
        """A number that nobody had before in this run; the same ones in every run of one seed."""
        self._seeds += 1
        return self.results.seed * 100_000 + self._seeds

    @asynccontextmanager
    async def installation(
        self, scenario: str, system: System, wallets: int | None = None
    ) -> AsyncIterator[Installation]:
        """Fresh books with funded wallets, audited at the end of the block."""
        self._names += 1
        async with installed(self.servers, f"bench_{self._names}_{system.name}") as installation:
            async with filling(installation) as filler:
                await filler.wallets(wallets or self.effort.wallets)
            await system.prepare(installation)
            await installation.settle()
            yield installation
            await self._audit(scenario, system, installation)

    async def point(
        self, scenario: str, system: System, installation: Installation, **ask: Any
    ) -> Load:
        """Start the system, warm it up, measure it once, stop it: nothing else runs meanwhile."""
        async with running(system, installation) as run:
            await self.warm_up(run)
            return await self.measure(scenario, run, **ask)

    async def warm_up(self, run: Running) -> None:
        ask = Ask("uniform", self.effort.full_connections, self.effort.warm_up_s, self.seed())
        await closed_loop(run, ask)

    async def measure(
        self,
        scenario: str,
        run: Running,
        *,
        kind: str = "uniform",
        case: str = "",
        connections: int | None = None,
        round_: int = 1,
        seconds: float | None = None,
        wallets: tuple[str, ...] = (),
        beside: bool = False,
    ) -> Load:
        """One closed loop on a running system; ``beside``: reads run at the same time."""
        connections = connections or self.effort.full_connections
        ask = Ask(kind, connections, seconds or self.effort.point_s, self.seed(), wallets)
        before = await run.settled_statuses()
        spent = run.processor()
        told = await closed_loop(run, ask)
        cores = run.processor().cores_since(spent)
        statuses = _more(before, await run.settled_statuses())
        taken_s = told.duration_us / 1e6
        failures = told.failures
        load = Load(
            scenario=scenario,
            system=run.system.name,
            setup=run.system.setup,
            case=case,
            connections=connections,
            round=round_,
            seconds=taken_s,
            answers=told.requests,
            rate_per_s=(told.requests - told.status) / taken_s,
            latency=told.latency,
            statuses=statuses,
            failures=failures,
            cores=cores,
            problem=unexpected(statuses, _ANSWERED if beside else _CREATED, connections, failures),
        )
        self.results.loads.append(load)
        self.say(
            f"  {load.system:8} {case or kind:22} {connections:4} connections:"
            f" {load.rate_per_s:7.0f}/s, p50 {load.latency.p50_ms:.1f} ms,"
            f" p99 {load.latency.p99_ms:.1f} ms {load.problem}".rstrip()
        )
        return load

    async def arrive(
        self,
        scenario: str,
        run: Running,
        mix: Mapping[str, int],
        *,
        rate_per_s: int,
        seconds: float,
        case: str = "",
        beside: bool = False,
    ) -> Arrivals:
        """One open loop on a running system; ``beside``: other load runs at the same time, so that
        the gateway's counts are not of this one alone."""
        before = {} if beside else await run.settled_statuses()
        spent = run.processor()
        done = await open_loop(
            run,
            self.generator,
            mix,
            rate_per_s=rate_per_s,
            seconds=seconds,
            warm_up_s=self.effort.warm_up_s,
            seed=self.seed(),
        )
        cores = run.processor().cores_since(spent)
        statuses = {} if beside else _more(before, await run.settled_statuses())
        problem = "; ".join(f"{n} times {status}" for status, n in done.unexpected.items())
        if not beside:
            problem = problem or unexpected(statuses, _ANSWERED, 0, {})
        arrivals = Arrivals(
            scenario=scenario,
            system=run.system.name,
            setup=run.system.setup,
            case=case,
            rate_per_s=rate_per_s,
            seconds=seconds,
            answers=done.answers,
            routes=done.routes,
            all=done.all,
            lateness=done.lateness,
            connections=done.connections,
            cores=cores,
            statuses=statuses,
            problem=problem,
        )
        self.results.arrivals.append(arrivals)
        self.say(
            f"  {arrivals.system:8} {case or 'mixed':22} {rate_per_s:4}/s due: p50"
            f" {done.all.p50_ms:.1f} ms, p99 {done.all.p99_ms:.1f} ms, p99.9"
            f" {done.all.p999_ms:.1f} ms, max {done.all.max_ms:.1f} ms {problem}".rstrip()
        )
        return arrivals

    async def _audit(self, scenario: str, system: System, installation: Installation) -> None:
        started_s = time.monotonic()
        connection = await connect_owner(installation.access.owner)
        try:
            broken = await system.broken_rules(connection)
            transfers = await connection.fetchval("SELECT count(*) FROM transfers")
        finally:
            await connection.close()
        taken_s = time.monotonic() - started_s
        self.results.audits.append(Audit(scenario, system.name, transfers, taken_s, broken))
        word = f"BREAK {', '.join(broken)}" if broken else "hold"
        self.say(f"  {system.name}: the books of {transfers} transfers {word}")


def _more(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {n: count - before.get(n, 0) for n, count in after.items() if count > before.get(n, 0)}
