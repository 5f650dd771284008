"""Servers in containers, where a stand-in for the `docker` program plays Docker."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.home import compose_file, path_for_children
from cli.servers import binaries, install, postgres, provide, rabbitmq
from cli.servers.docker import ComposeServer
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept

DOCKER = """#!/bin/sh
echo "$@" >> "$SOV_STAND_IN/calls"
[ "$1" = info ] && exec test -e "$SOV_STAND_IN/engine"
case "$*" in *" up "*) exit 1 ;; esac
"""


@dataclass(frozen=True, slots=True)
class Docker:
    """An engine that answers while ``engine`` exists, and never starts anything."""

    folder: Path
    home: Path

    @property
    def engine(self) -> Path:
        return self.folder / "engine"

    @property
    def kept(self) -> Kept:
        return Kept(self.home)

    def calls(self) -> str:
        calls = self.folder / "calls"
        return calls.read_text() if calls.exists() else ""

    async def down(self, *arguments: str) -> tuple[int, str]:
        """`./sov down`; its code and what it said on stderr."""
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SOV_")},
            **path_for_children(os.environ),
            "SOV_HOME": str(self.home),
            "SOV_STAND_IN": str(self.folder),
        }
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli", "down", *arguments), env=environment, stderr=-1
        )
        _, said = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, said.decode()


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Docker:
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    monkeypatch.setenv("SOV_STAND_IN", str(tmp_path))
    home = tmp_path / "home"
    home.mkdir()
    found = Docker(tmp_path, home)
    found.engine.touch()
    return found


async def used_containers(docker: Docker, monkeypatch: pytest.MonkeyPatch) -> None:
    """Provide servers for the folder on a machine that has none installed and no apt."""

    async def refuse(*_: object) -> None:
        raise ServerUnavailable("no rights")

    with monkeypatch.context() as bare:
        bare.setattr(binaries, "find_postgres", lambda: None)
        bare.setattr(binaries, "find_rabbitmq", lambda: None)
        bare.setattr(install, "with_apt", refuse)
        servers = await provide.provide(
            docker.home, docker.kept, print, compose_file=compose_file()
        )
    assert all(isinstance(server, ComposeServer) for server in servers)


async def test_restarting_the_database_leaves_the_brokers_ports_alone(docker: Docker) -> None:
    with socket.create_server(("127.0.0.1", 0)) as running_broker:
        port = docker.kept.keep_port(rabbitmq.MANAGEMENT_PORT, running_broker.getsockname()[1])
        for name, moves in ((postgres.NAME, False), (rabbitmq.NAME, True)):
            server = ComposeServer(
                name, ("docker", "compose"), compose_file(), "sov-test", docker.kept, print
            )
            with pytest.raises(ServerUnavailable, match="did not start"):
                await server.start()
            assert (docker.kept.port(rabbitmq.MANAGEMENT_PORT) != port) is moves


async def test_wipe_is_refused_while_no_engine_answers(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await used_containers(docker, monkeypatch)
    docker.engine.unlink()
    code, said = await docker.down("--wipe")
    assert code == 1
    assert "--wipe is refused" in said
    assert docker.kept.place("compose") is not None
    code, said = await docker.down()
    assert code == 0
    assert "no Docker engine" in said


async def test_wipe_deletes_the_volumes_once_the_engine_answers(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await used_containers(docker, monkeypatch)
    code, said = await docker.down("--wipe")
    assert code == 0, said
    assert "down --volumes" in docker.calls()
    assert docker.kept.place("compose") is None


async def test_installed_servers_take_over_from_containers(
    docker: Docker, monkeypatch: pytest.MonkeyPatch
) -> None:
    await used_containers(docker, monkeypatch)
    docker.kept.keep_place(postgres.NAME, docker.home / postgres.NAME)
    known = await provide.known_servers(
        docker.home, docker.kept, print, compose_file=compose_file()
    )
    assert sorted(server.name for server in known) == ["postgresql", "postgresql", "rabbitmq"]
    assert sum(isinstance(server, ComposeServer) for server in known) == 2
    said: list[str] = []
    await provide.provide(docker.home, docker.kept, said.append, compose_file=compose_file())
    assert "take over" in said[0]
    assert "stop postgresql" in docker.calls()
    assert docker.kept.place("compose") is None
    assert await provide.out_of_reach(docker.home, docker.kept) == ""
