"""The two servers as containers of ``compose.yaml``, for machines that have Docker and no apt."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from pathlib import Path

from cli.servers import broker_users, postgres, rabbitmq, rabbitmq_conf
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.servers.places import Say

_START_LIMIT_S = 600.0  # images may have to be pulled
_CONNECT_LIMIT_S = 1.0


async def compose_command() -> tuple[str, ...] | None:
    """How to call Compose with an engine that answers, or None."""
    if shutil.which("docker") is None or (await _run(("docker", "info"), {}, 10))[0] != 0:
        return None
    for command in (("docker", "compose"), ("docker-compose",)):
        if shutil.which(command[0]) and (await _run((*command, "version"), {}, 10))[0] == 0:
            return command
    return None


class ComposeServer:
    """One service of ``compose.yaml``, published on a loopback port of its own.

    ``start`` and ``stop`` may be called in any state and are idempotent. Its data is in a volume of
    the Compose project, which ``wipe`` deletes.
    """

    def __init__(
        self, name: str, compose: tuple[str, ...], file: Path, project: str, kept: Kept, say: Say
    ) -> None:
        self.name = name
        self._compose = (*compose, "-f", str(file), "-p", project)
        self._kept = kept
        self._say = say
        self._pid: int | None = None

    @property
    def pid(self) -> int | None:
        return self._pid

    def alive(self) -> bool:
        """Whether somebody listens on the published port (a dead container's proxy does not)."""
        port = self._kept.port(self.name)
        if port is None:
            return False
        try:
            socket.create_connection(("127.0.0.1", port), _CONNECT_LIMIT_S).close()
        except OSError:
            return False
        return True

    async def start(self) -> None:
        self._say(f"starting {self.name} as a container")
        if not self.alive():
            self._kept.claim_port(self.name)
            if self.name == rabbitmq.NAME:  # a running broker sits on it: to others it looks taken
                self._kept.claim_port(rabbitmq.MANAGEMENT_PORT)
        code, output = await self._call("up", "--detach", "--wait", self.name)
        if code != 0:
            raise ServerUnavailable(f"{self.name} did not start as a container: {output[-600:]}")
        code, output = await self._call("ps", "--quiet", self.name)
        identifier = output.strip().splitlines()[-1] if code == 0 and output.strip() else ""
        code, output = await _run(
            ("docker", "inspect", "--format", "{{.State.Pid}}", identifier), {}, 10
        )
        self._pid = int(output) if code == 0 and output.strip().isdigit() else None
        if self.name == postgres.NAME:
            await postgres.ensure_database(self._kept)
        else:
            await _make_users(self._kept)

    async def stop(self) -> None:
        code, output = await self._call("stop", self.name)
        if code != 0:
            self._say(f"{self.name} may still run: {output[-600:]}")
        self._pid = None

    async def wipe(self) -> None:
        """Delete the project's containers and volumes; raises ``ServerUnavailable``."""
        code, output = await self._call("down", "--volumes")
        if code != 0:
            raise ServerUnavailable(f"the containers' data was not deleted: {output[-600:]}")

    async def _call(self, *arguments: str) -> tuple[int, str]:
        environment = {
            "SOV_POSTGRES_PASSWORD": self._kept.password(postgres.ADMIN),
            "SOV_POSTGRES_PORT": str(self._kept.port(postgres.PORT) or 0),
            "SOV_RABBITMQ_PASSWORD": self._kept.password(rabbitmq.user_key(rabbitmq_conf.ADMIN)),
            "SOV_RABBITMQ_PORT": str(self._kept.port(rabbitmq.PORT) or 0),
            "SOV_RABBITMQ_MANAGEMENT_PORT": str(self._kept.port(rabbitmq.MANAGEMENT_PORT) or 0),
            # Only for the file to be read as a whole: `up` runs none of the services that use them.
            "SOV_WRITER_PASSWORD": self._kept.password(postgres.WRITER),
            "SOV_READER_PASSWORD": self._kept.password(postgres.READER),
            "SOV_UPLOADER_PASSWORD": self._kept.password(postgres.UPLOADER),
            "SOV_BANKER_PASSWORD": self._kept.password(postgres.BANKER),
            "SOV_AMQP_GATEWAY_PASSWORD": self._kept.password(
                rabbitmq.user_key(rabbitmq_conf.GATEWAY)
            ),
            "SOV_AMQP_CONSUMER_PASSWORD": self._kept.password(
                rabbitmq.user_key(rabbitmq_conf.CONSUMER)
            ),
        }
        return await _run((*self._compose, *arguments), environment, _START_LIMIT_S)


async def _make_users(kept: Kept) -> None:
    """The same users and permissions as on a server of our own; the image makes only the first."""
    users = {user: kept.password(rabbitmq.user_key(user)) for user in rabbitmq.USERS}
    administrator = f"{rabbitmq_conf.ADMIN}:{users[rabbitmq_conf.ADMIN]}"
    port = kept.port(rabbitmq.MANAGEMENT_PORT)
    await broker_users.make(f"http://{administrator}@127.0.0.1:{port}", users)


async def _run(
    arguments: tuple[str, ...], environment: dict[str, str], limit_s: float
) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env={**os.environ, **environment},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), limit_s)
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, f"no answer within {limit_s:.0f} s"
    return process.returncode or 0, output.decode(errors="replace")
