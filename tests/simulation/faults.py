"""What goes wrong in a run: a seeded schedule of deaths, freezes and cuts.

Only processes of the run's own system are ever touched: those its supervisor names, and those that
carry its servers' mark.
"""

from __future__ import annotations

import asyncio
import random
import signal
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any, Final

import asyncpg

from cli.servers import postgres, processes
from cli.servers.binaries import find_rabbitmq
from cli.servers.processes import ProcessId
from tests.simulation.system import System

_TARGET_LIMIT_S: Final = 30.0
_COMMAND_LIMIT_S: Final = 30.0
_LONGEST_STALL_S: Final = 8.0
_BROKER_START_S: Final = 5.0
#: The broker's own default: a share of the machine that a run never comes near.
_PLENTY: Final = "0.4"


class FaultFailed(Exception):
    """A fault could not be made: the run would prove less than it says."""


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of fault. ``inject`` returns at the moment from which recovery counts: when what was
    stalled goes on, or when what shall heal by itself was killed, frozen or cut."""

    name: str
    inject: Callable[[System, random.Random], Coroutine[Any, Any, None]]
    promised_s: float = 5.0
    """How soon the service is promised to be back: reported beside what was measured."""


async def _kill_child(system: System, program: str) -> None:
    processes.send(await _await_target(lambda: system.child(program)), signal.SIGKILL)


async def _kill_server(system: System, name: str) -> None:
    processes.send(await _await_target(lambda: system.server(name)), signal.SIGKILL)


async def _freeze_child(system: System, program: str) -> None:
    processes.send(await _await_target(lambda: system.child(program)), signal.SIGSTOP)


async def _stall_server(system: System, name: str, stalled_s: float) -> None:
    """Stop the whole tree, its head first so that it grows no more, and let it go on later."""
    head = await _await_target(lambda: system.server(name))
    try:
        processes.send(head, signal.SIGSTOP)
        for process in system.server_processes(name):
            processes.send(process, signal.SIGSTOP)
        await asyncio.sleep(stalled_s)
    finally:
        for process in system.server_processes(name):
            processes.send(process, signal.SIGCONT)


async def _end_backends(system: System) -> None:
    """As an administrator would: every connection of ours to the database ends."""
    dsn = postgres.url(system.home.kept, postgres.ADMIN)
    async with asyncio.timeout(_COMMAND_LIMIT_S):
        connection = await _await_connection(dsn)
        try:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE usename = ANY ($1::text[])",
                [postgres.WRITER, postgres.READER],
            )
        finally:
            await connection.close(timeout=5)


async def _memory_alarm(system: System, lasting_s: float) -> None:
    """The broker stops reading from publishers for a while."""
    await _rabbitmqctl(system, "set_vm_memory_high_watermark", "0.000001")
    try:
        await asyncio.sleep(lasting_s)
    finally:
        await _rabbitmqctl(system, "set_vm_memory_high_watermark", _PLENTY)


async def _close_connections(system: System) -> None:
    """Every AMQP connection is closed from the broker's side."""
    await _rabbitmqctl(system, "close_all_connections", "--global", "torture")


FAULTS: Final[Mapping[str, Fault]] = {
    fault.name: fault
    for fault in (
        Fault("kill gateway", lambda s, _: _kill_child(s, "gateway")),
        Fault("kill consumer", lambda s, _: _kill_child(s, "consumer")),
        Fault("kill relay", lambda s, _: _kill_child(s, "relay")),
        Fault("kill postgresql", lambda s, _: _kill_server(s, "postgresql")),
        Fault("kill rabbitmq", lambda s, _: _kill_server(s, "rabbitmq"), _BROKER_START_S + 3),
        Fault("freeze gateway", lambda s, _: _freeze_child(s, "gateway"), 15.0),
        Fault("freeze consumer", lambda s, _: _freeze_child(s, "consumer"), 15.0),
        Fault("stall postgresql", lambda s, r: _stall_server(s, "postgresql", _stall(r))),
        Fault("stall rabbitmq", lambda s, r: _stall_server(s, "rabbitmq", _stall(r))),
        Fault("end backends", lambda s, _: _end_backends(s)),
        Fault("memory alarm", lambda s, r: _memory_alarm(s, r.uniform(1.0, 4.0))),
        Fault("close connections", lambda s, _: _close_connections(s)),
    )
}

#: In which a message may be sent that the broker never confirms.
OF_BROKER: Final = frozenset({"kill rabbitmq", "stall rabbitmq", "close connections"})

#: Two at a time. A server that is stalled cannot be spoken to, and one that dies takes what was
#: done to it along: these pairs would be something else than their names say.
_SPOKEN_TO: Final = {
    "end backends": "postgresql",
    "memory alarm": "rabbitmq",
    "close connections": "rabbitmq",
}


def schedule(rng: random.Random) -> Iterator[tuple[Fault, ...]]:
    """For ever: every kind once, in some order, then pairs and single ones as they come."""
    names = list(FAULTS)
    rng.shuffle(names)
    yield from ((FAULTS[name],) for name in names)
    pairs = [pair for pair in combinations(FAULTS, 2) if _can_meet(*pair)]
    while True:
        chosen = rng.choice(pairs) if rng.random() < 0.5 else (rng.choice(names),)
        yield tuple(FAULTS[name] for name in chosen)


def _can_meet(one: str, other: str) -> bool:
    target_of_one, target_of_other = (_SPOKEN_TO.get(n, n.split()[-1]) for n in (one, other))
    return target_of_one != target_of_other


def _stall(rng: random.Random) -> float:
    return rng.uniform(1.0, _LONGEST_STALL_S)


async def _await_target(find: Callable[[], ProcessId | None]) -> ProcessId:
    """The supervisor's file is a second old at most; something may be starting just now."""
    deadline = asyncio.get_running_loop().time() + _TARGET_LIMIT_S
    while (found := find()) is None:
        if asyncio.get_running_loop().time() > deadline:
            raise FaultFailed("what was to be hit never came")
        await asyncio.sleep(0.05)
    return found


async def _await_connection(dsn: str) -> asyncpg.Connection:
    while True:
        try:
            return await asyncpg.connect(dsn, timeout=5)
        except (OSError, asyncpg.PostgresError):
            await asyncio.sleep(0.1)


async def _rabbitmqctl(system: System, *arguments: str) -> None:
    """With the node's own environment and user: the Erlang cookie and port mapper are private."""
    programs = find_rabbitmq()
    node = await _await_target(lambda: system.server("rabbitmq"))
    if programs is None:
        raise FaultFailed("there is no rabbitmqctl")
    proc = Path("/proc") / str(node.pid)
    owner = proc.stat()
    words = (word.partition(b"=") for word in (proc / "environ").read_bytes().split(b"\0") if word)
    environment = {name.decode(): value.decode() for name, _, value in words}
    process = await asyncio.create_subprocess_exec(
        str(programs.server.with_name("rabbitmqctl")),
        *arguments,
        env=environment,
        cwd=environment["HOME"],
        user=owner.st_uid,
        group=owner.st_gid,
        extra_groups=[],
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(_COMMAND_LIMIT_S):
        output, _ = await process.communicate()
    if process.returncode != 0:
        raise FaultFailed(f"rabbitmqctl {arguments[0]}: {output.decode(errors='replace').strip()}")
