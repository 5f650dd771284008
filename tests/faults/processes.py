"""The product's own processes, to be killed and frozen; what they log is kept."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.home import path_for_children
from tests.polling import until


@dataclass
class Process:
    """One of ``python -m consumers`` or ``python -m gateway``."""

    child: subprocess.Popen[bytes]
    log: Path

    def events(self, name: str) -> list[dict[str, Any]]:
        """Its log lines of that event, so far."""
        lines = (line for line in self.log.read_text().splitlines() if line.startswith("{"))
        return [line for line in map(_parsed, lines) if line.get("event") == name]

    async def logs(self, name: str, count: int = 1) -> list[dict[str, Any]]:
        """Wait until it has logged that event so often."""
        return await until(
            lambda: found if len(found := self.events(name)) >= count else [], within_s=30
        )

    def freeze(self) -> None:
        self.child.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.child.send_signal(signal.SIGCONT)

    async def kill(self) -> None:
        self.child.kill()
        await asyncio.to_thread(self.child.wait)


@asynccontextmanager
async def started(
    module: str, log: Path, *inherits: int, **settings: str
) -> AsyncIterator[Process]:
    """The process with these settings and none of the caller's; gone at the end. ``inherits`` are
    file descriptors of ours that it gets."""
    process = Process(_start(module, log, inherits, settings), log)
    try:
        yield process
    finally:
        await process.kill()


def _start(
    module: str, log: Path, inherits: tuple[int, ...], settings: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOV_")}
    with log.open("wb") as out:
        return subprocess.Popen(
            [sys.executable, "-m", module],
            env={**clean, **path_for_children(clean), **settings},
            stdout=out,
            stderr=subprocess.STDOUT,
            pass_fds=inherits,
        )


def _parsed(line: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)
    except json.JSONDecodeError:  # still being written
        return {}
    return found
