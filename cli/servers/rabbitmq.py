"""One private RabbitMQ node with an Erlang port mapper of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import time
from pathlib import Path
from types import MappingProxyType

import aio_pika
from aio_pika.exceptions import AMQPError

from cli.servers import places, ports, postgres_conf, processes, rabbitmq_conf
from cli.servers.binaries import RabbitmqPrograms
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.servers.places import Say
from cli.servers.processes import ProcessId, Step
from cli.servers.rabbitmq_conf import ADMIN, CONSUMER, GATEWAY, VHOST

NAME = "rabbitmq"
PORT, MANAGEMENT_PORT = "rabbitmq", "rabbitmq-management"
_DISTRIBUTION_PORT, _EPMD_PORT = "rabbitmq-distribution", "rabbitmq-epmd"
# The port mapper is private, so the node's name need not be unique on the machine.
_NODE = "sov@localhost"
_START_LIMIT_S = 90.0
_STOP_LIMIT_S = 30.0
_BOOTING_STOP_LIMIT_S = 2.0


class RabbitmqServer:
    """A broker in ``folder`` with the vhost ``sov`` and three users, on loopback ports of its own.

    ``start`` and ``stop`` may be called in any state and are idempotent. Not safe for two callers
    at once. epmd and Erlang distribution are private and on loopback too: no other node of the
    machine is seen, disturbed or waited for.
    """

    name = NAME

    def __init__(self, folder: Path, kept: Kept, programs: RabbitmqPrograms, say: Say) -> None:
        self._programs = programs
        self._kept = kept
        self._say = say
        self._who = places.run_as("rabbitmq")
        self._place = places.settle(folder, NAME, kept, self._who, say)
        self._child: subprocess.Popen[bytes] | None = None
        self._process: ProcessId | None = None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def alive(self) -> bool:
        if self._child is not None:
            self._child.poll()  # reaps: a zombie would look alive to others
        return self._process is not None and processes.is_alive(self._process)

    def url(self, user: str) -> str:
        return url(self._kept, user)

    async def start(self) -> None:
        """Adopt the running node or launch it; returns once it speaks AMQP.

        Raises ``ServerUnavailable`` with the end of its log after 90 s.
        """
        self._process = self._left_over()
        if self._process is None:
            await processes.end(processes.carrying(self._place))  # a dead node's port mapper
            self._launch()
        await self._until_it_answers()

    async def stop(self) -> None:
        """Shut down in an orderly way (6 s); returns when no process of it is left."""
        # While it boots it heeds no SIGTERM, and has promised nobody anything yet.
        listens = not ports.is_free(self._kept.port(PORT) or 0)
        patience_s = _STOP_LIMIT_S if listens else _BOOTING_STOP_LIMIT_S
        await self._stop((signal.SIGTERM, patience_s), (signal.SIGKILL, 5.0))

    async def kill(self) -> None:
        """As if the power failed; returns when no process of it is left."""
        await self._stop((signal.SIGKILL, 5.0))

    async def _stop(self, *steps: Step) -> None:
        process = self._process if self.alive() else self._left_over()
        if process is not None:
            await processes.end_in_steps(process, steps)
        # The port mapper outlives the node by design; helper processes do when it was killed.
        await processes.end(processes.carrying(self._place))
        if self._child is not None:
            self._child.wait()
        self._child = self._process = None

    def _left_over(self) -> ProcessId | None:
        """The node that runs on our folder, whoever started it."""
        try:
            pid = int((self._place / "pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        process = processes.identify(pid)
        return process if process in processes.carrying(self._place) else None

    def _launch(self) -> None:
        before = self._kept.port(PORT)
        amqp_port = self._kept.claim_port(PORT)
        if before not in (None, amqp_port):
            self._say(f"port {before} is taken by somebody else: RabbitMQ moves to {amqp_port}")
        self._write_files(amqp_port, self._kept.claim_port(MANAGEMENT_PORT))
        with (self._place / "log" / "start.log").open("wb") as log:
            self._child = subprocess.Popen(
                # With RABBITMQ_ALLOW_INPUT the script becomes the node instead of watching it, so
                # that what we start is what we signal; -noinput undoes its other effect.
                [str(self._programs.server), "-noinput"],
                user=self._who.uid,
                group=self._who.gid,
                extra_groups=None if self._who.uid is None else [],
                cwd=self._place,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a Ctrl-C at our terminal is not the broker's business
            )
        places.write_file(self._place / "pid", f"{self._child.pid}\n", self._who)
        self._process = processes.identify(self._child.pid)

    def _write_files(self, amqp_port: int, management_port: int) -> None:
        for name in ("home", "log", "mnesia", "conf.d", "generated"):
            places.make_folder(self._place / name, self._who)
        passwords = {user: self._kept.password(user_key(user)) for user in USERS}
        users = places.write_file(
            self._place / "definitions.json", rabbitmq_conf.definitions(passwords), self._who
        )
        memory_mib = postgres_conf.machine_memory_mib()
        conf = rabbitmq_conf.render(amqp_port, management_port, users, memory_mib)
        places.write_file(self._place / "rabbitmq.conf", conf, self._who)
        places.write_file(self._place / "enabled_plugins", rabbitmq_conf.PLUGINS, self._who)
        places.write_file(self._place / "rabbitmq-env.conf", "", self._who)

    def _environment(self) -> MappingProxyType[str, str]:
        """Every path named, so that nothing of /etc/rabbitmq or of the caller's is ever read."""
        place = self._place
        return MappingProxyType(
            {
                "PATH": os.environ.get("PATH", os.defpath),  # erl may be anywhere on it
                "LANG": "C.UTF-8",
                "LC_ALL": "C.UTF-8",
                "HOME": str(place / "home"),  # the Erlang cookie lives there
                processes.MARKER: str(place),
                "ERL_EPMD_PORT": str(self._kept.claim_port(_EPMD_PORT)),
                "ERL_EPMD_ADDRESS": "127.0.0.1",
                "ERL_CRASH_DUMP": str(place / "log" / "erl_crash.dump"),
                "RABBITMQ_ALLOW_INPUT": "1",
                "RABBITMQ_NODENAME": _NODE,
                "RABBITMQ_DIST_PORT": str(self._kept.claim_port(_DISTRIBUTION_PORT)),
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": (
                    f"-kernel inet_dist_use_interface {{127,0,0,1}} +S {_schedulers()}"
                ),
                "RABBITMQ_CONF_ENV_FILE": str(place / "rabbitmq-env.conf"),
                "RABBITMQ_CONFIG_FILE": str(place / "rabbitmq.conf"),
                "RABBITMQ_CONFIG_FILES": str(place / "conf.d"),
                "RABBITMQ_ADVANCED_CONFIG_FILE": str(place / "advanced.config"),
                "RABBITMQ_GENERATED_CONFIG_DIR": str(place / "generated"),
                "RABBITMQ_ENABLED_PLUGINS_FILE": str(place / "enabled_plugins"),
                "RABBITMQ_MNESIA_BASE": str(place / "mnesia"),
                "RABBITMQ_LOG_BASE": str(place / "log"),
                "RABBITMQ_PID_FILE": str(place / "pid.broker"),
            }
        )

    async def _until_it_answers(self) -> None:
        deadline = time.monotonic() + _START_LIMIT_S
        problem = "it did not answer"
        while time.monotonic() < deadline:
            if not self.alive():
                problem = "it ended"
                break
            try:
                # Knocking first: the client library logs an error for every refused connection.
                _, writer = await asyncio.open_connection("127.0.0.1", self._kept.port(PORT))
                writer.close()
                connection = await aio_pika.connect(self.url(ADMIN), timeout=5)
            except (OSError, TimeoutError, AMQPError) as error:
                problem = f"{type(error).__name__}: {error}"
                await asyncio.sleep(0.1)
            else:
                await connection.close()
                return
        raise ServerUnavailable(f"RabbitMQ did not start: {problem}\n{self._log_tail()}")

    def _log_tail(self) -> str:
        logs = sorted((self._place / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
        lines = [line for log in logs for line in log.read_text(errors="replace").splitlines()]
        return "\n".join(f"  {line}" for line in lines[-8:])


USERS = (ADMIN, GATEWAY, CONSUMER)


def user_key(user: str) -> str:
    """Broker and database both have a ``sov_admin``; their passwords differ."""
    return f"rabbitmq:{user}"


def url(kept: Kept, user: str) -> str:
    """The private broker's URL for ``user``, whether it runs or not; its port must be known."""
    return f"amqp://{user}:{kept.password(user_key(user))}@127.0.0.1:{kept.port(PORT)}/{VHOST}"


def _schedulers() -> str:
    """Half the cores: the broker shares the machine, and its processes wake each other cheaply on
    one scheduler. On two cores one scheduler instead of two took a third off its processor time,
    and transfers went 6 to 9 % faster [measured]."""
    count = max(1, (os.cpu_count() or 1) // 2)
    return f"{count}:{count}"
