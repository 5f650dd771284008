"""The closed loop: ``wrk``, so many connections, each asking again once it is answered."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from bench import programs
from bench.latency import Latency
from bench.running import Running

_SCRIPT: Final = Path(__file__).with_name("load.lua")
_FAILURES: Final = ("connect", "read", "write", "status", "timeout")


class Wrk(msgspec.Struct, frozen=True):
    """The line that ``load.lua`` prints: counts, and times in microseconds."""

    requests: int
    duration_us: int
    connect: int
    read: int
    write: int
    status: int
    """Answers of 400 and above."""
    timeout: int
    p50: int
    p90: int
    p99: int
    p999: int
    max: int
    mean: float

    @property
    def failures(self) -> dict[str, int]:
        return {name: getattr(self, name) for name in _FAILURES}

    @property
    def latency(self) -> Latency:
        return Latency(
            p50_ms=self.p50 / 1000,
            p90_ms=self.p90 / 1000,
            p99_ms=self.p99 / 1000,
            p999_ms=self.p999 / 1000,
            max_ms=self.max / 1000,
            mean_ms=self.mean / 1000,
        )


class Ask(NamedTuple):
    """What to ask for: ``kind`` is one of ``load.lua``'s, ``wallets`` (default: all) whom for."""

    kind: str
    connections: int
    seconds: float
    seed: int
    wallets: Sequence[str] = ()


async def closed_loop(run: Running, ask: Ask) -> Wrk:
    """Load on a running system. Raises ``programs.Failed``.

    One thread: it is not the bottleneck (over 30,000 requests/s), and a second one would take time
    from what is measured. The seed makes keys unique: never use one twice on the same books.
    """
    wallets = run.installation.home.folder / "wallets.txt"
    wallets.write_text("\n".join(ask.wallets or run.installation.wallets) + "\n")
    output = await programs.run(
        ask.seconds,
        "wrk",
        *("--threads", "1", "--connections", str(ask.connections)),
        *("--duration", f"{max(1, round(ask.seconds))}s", "--timeout", "15s"),
        *("--script", str(_SCRIPT), f"http://127.0.0.1:{run.port}"),
        *("--", ask.kind, f"wrk-{ask.seed}", str(ask.seed), str(wallets), run.installation.key),
    )
    return msgspec.json.decode(output.splitlines()[-1], type=Wrk)
