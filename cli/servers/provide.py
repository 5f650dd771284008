"""Which servers this machine can give: installed ones, apt's, containers, or a reason why not."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path
from typing import Protocol

from cli.servers import binaries, docker, install, postgres, rabbitmq
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.servers.places import Say
from cli.servers.postgres import PostgresServer
from cli.servers.rabbitmq import RabbitmqServer

BOTH = (postgres.NAME, rabbitmq.NAME)
_DEBIAN_PACKAGES = {postgres.NAME: "postgresql", rabbitmq.NAME: "rabbitmq-server"}
_COMPOSE = "compose"
_OPTIONS = """\
There are four ways out:
  1. install PostgreSQL (13 or newer) and RabbitMQ (3.10 or newer): we only run the programs
  2. run this once as root, or where `sudo -n` works, on a machine with apt-get: we install them
  3. start a Docker engine: we use compose.yaml
  4. set SOV_DATABASE_URL and SOV_AMQP_URL to servers that run elsewhere"""


class Server(Protocol):
    """What the supervisor asks of a server, however it is run.

    ``start`` adopts a running one or launches it and returns when it answers, or raises
    ``ServerUnavailable``; ``stop`` leaves nothing of it running. Both may be called in any state.
    ``alive`` must be called now and then: it also takes note of the end of a child of ours.
    """

    @property
    def name(self) -> str: ...
    @property
    def pid(self) -> int | None: ...
    def alive(self) -> bool: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


async def provide(
    folder: Path, kept: Kept, say: Say, *, names: Collection[str] = BOTH, compose_file: Path
) -> list[Server]:
    """Servers (not started) for ``names``, with their data in ``folder``.

    May install packages. Raises ``ServerUnavailable`` with every option when there is no way.
    """
    problems = []
    if missing := _missing(names):
        try:
            await install.with_apt([_DEBIAN_PACKAGES[name] for name in missing], say)
        except ServerUnavailable as problem:
            problems.append(f"apt: {problem}")
        missing = _missing(names)
    if not missing:
        await _leave_containers(folder, kept, say, compose_file)
        return [_installed(name, folder, kept, say) for name in names]
    compose = await docker.compose_command()
    if compose is None:
        problems.append("Docker: no engine with Compose answers")
        raise ServerUnavailable(
            "\n".join((f"{' and '.join(missing)} cannot be started here.", *problems, _OPTIONS))
        )
    kept.keep_place(_COMPOSE, compose_file)
    return _containers(names, folder, kept, say, compose, compose_file)


async def known_servers(folder: Path, kept: Kept, say: Say, *, compose_file: Path) -> list[Server]:
    """Those that were ever provided for ``folder``, running or not; installs and makes nothing.

    Containers are among them only while an engine answers (see ``out_of_reach``).
    """
    missing = _missing(BOTH)
    found = [
        _installed(name, folder, kept, say)
        for name in BOTH
        if name not in missing and kept.place(name) is not None
    ]
    if kept.place(_COMPOSE) is not None and (compose := await docker.compose_command()):
        found += _containers(BOTH, folder, kept, say, compose, compose_file)
    return found


async def out_of_reach(folder: Path, kept: Kept) -> str:
    """Why containers of ``folder`` can be neither stopped nor wiped now; empty where they can."""
    if kept.place(_COMPOSE) is None or await docker.compose_command() is not None:
        return ""
    return (
        f"the servers are containers of the Compose project {_project(folder)}, and no Docker"
        " engine with Compose answers"
    )


async def _leave_containers(folder: Path, kept: Kept, say: Say, compose_file: Path) -> None:
    """Installed servers take over from containers, whose data is not theirs and stays."""
    if kept.place(_COMPOSE) is None:
        return
    project = _project(folder)
    say(f"installed servers take over; what the containers held stays in volumes of {project}")
    if compose := await docker.compose_command():
        for server in _containers(BOTH, folder, kept, say, compose, compose_file):
            await server.stop()
    kept.forget_place(_COMPOSE)


def _containers(
    names: Collection[str],
    folder: Path,
    kept: Kept,
    say: Say,
    compose: tuple[str, ...],
    file: Path,
) -> list[Server]:
    project = _project(folder)
    return [docker.ComposeServer(name, compose, file, project, kept, say) for name in names]


def _project(folder: Path) -> str:
    return "sov-" + hashlib.sha256(str(folder).encode()).hexdigest()[:12]


def _missing(names: Collection[str]) -> list[str]:
    found = {postgres.NAME: binaries.find_postgres, rabbitmq.NAME: binaries.find_rabbitmq}
    return [name for name in names if found[name]() is None]


def _installed(name: str, folder: Path, kept: Kept, say: Say) -> Server:
    if name == postgres.NAME and (postgres_programs := binaries.find_postgres()):
        return PostgresServer(folder, kept, postgres_programs, say)
    if name == rabbitmq.NAME and (rabbitmq_programs := binaries.find_rabbitmq()):
        return RabbitmqServer(folder, kept, rabbitmq_programs, say)
    raise ServerUnavailable(f"{name} vanished while we looked at it")
