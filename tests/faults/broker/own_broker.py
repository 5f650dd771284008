"""A RabbitMQ node of the tests' own, to be stopped, killed, frozen and alarmed."""

from __future__ import annotations

import asyncio
import base64
import http.client
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.home import compose_file
from cli.servers import binaries, places, processes, provide, rabbitmq
from cli.servers.kept import Kept
from cli.servers.rabbitmq import RabbitmqServer
from cli.servers.rabbitmq_conf import ADMIN, CONSUMER, GATEWAY
from cli.servers.throwaway import reap, temporary_folder
from tests.integration.ledger_driver import LAYOUT
from tests.integration.processes import Broker, delete_queues
from topology import connections
from topology.declare import declare

_CTL_LIMIT_S = 30
_EPMD_PORT = "rabbitmq-epmd"


class OwnBroker:
    """The node, and what an operator or the weather may do to it."""

    def __init__(self, folder: Path) -> None:
        programs = binaries.find_rabbitmq()
        assert programs is not None
        self._programs = programs.server.parent
        self._kept = Kept(folder)
        self._alarmed = False
        self.server = RabbitmqServer(folder, self._kept, programs, print)

    @property
    def url(self) -> str:
        """As the consumers' user."""
        return self.server.url(CONSUMER)

    @property
    def gateway_url(self) -> str:
        return self.server.url(GATEWAY)

    @asynccontextmanager
    async def declared(self) -> AsyncIterator[Broker]:
        """Empty queues, and the way to them as a consumer."""
        connection = await connections.connect(self.server.url(ADMIN), "tests")
        try:
            await delete_queues(connection)
            await declare(connection, LAYOUT)
        finally:
            await connections.close(connection)
        yield Broker(self.url, connection)

    async def held(self) -> int:
        """Messages of all partitions, those handed out and not acked included."""
        listed = await self.ctl(
            "list_queues", "-p", "sov", "name", "messages", "--no-table-headers"
        )
        rows = [line.split() for line in listed.splitlines()]
        return sum(int(count) for name, count in rows if name.startswith("commands."))

    def freeze(self) -> None:
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._signal(signal.SIGCONT)

    async def calm(self) -> None:
        """Up, awake, and without an alarm."""
        self.thaw()
        await self.server.start()
        if self._alarmed:
            await self.set_memory_alarm(False)
            await self.set_disk_alarm(False)
            self._alarmed = False

    async def set_memory_alarm(self, on: bool) -> None:
        self._alarmed = True
        mark = "0.0001" if on else "0.6"
        await self.ctl("set_vm_memory_high_watermark", mark)

    async def set_disk_alarm(self, on: bool) -> None:
        self._alarmed = True
        await self.ctl("set_disk_free_limit", "100000GB" if on else "1MB")

    async def close_connections(self, user: str) -> None:
        """All of that user's, by the management API."""
        path = f"/api/connections/username/{user}"
        status = await asyncio.to_thread(self._request, "DELETE", path)
        assert status in (204, 404), status

    async def ctl(self, *arguments: str) -> str:
        """``rabbitmqctl`` on this node; its port mapper is private, so no other node is meant."""
        place = self._kept.place(rabbitmq.NAME)
        assert place is not None
        who = places.run_as("rabbitmq")
        process = await asyncio.create_subprocess_exec(
            *(str(self._programs / "rabbitmqctl"), "-q", "-n", "sov@localhost", *arguments),
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "LC_ALL": "C.UTF-8",
                "HOME": str(place / "home"),
                "ERL_EPMD_PORT": str(self._kept.port(_EPMD_PORT)),
                "RABBITMQ_CONF_ENV_FILE": str(place / "rabbitmq-env.conf"),
            },
            user=who.uid,
            group=who.gid,
            extra_groups=None if who.uid is None else [],
            cwd=place,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        out, _ = await asyncio.wait_for(process.communicate(), _CTL_LIMIT_S)
        assert process.returncode == 0, out.decode()
        return out.decode()

    def _signal(self, number: signal.Signals) -> None:
        place = self._kept.place(rabbitmq.NAME)
        assert place is not None
        for process in processes.carrying(place):
            processes.send(process, number)

    def _request(self, method: str, path: str) -> int:
        port = self._kept.port(rabbitmq.MANAGEMENT_PORT)
        password = self._kept.password(rabbitmq.user_key(ADMIN))
        credentials = base64.b64encode(f"{ADMIN}:{password}".encode()).decode()
        asking = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        try:
            asking.request(method, path, headers={"Authorization": f"Basic {credentials}"})
            return asking.getresponse().status
        finally:
            asking.close()


@asynccontextmanager
async def running() -> AsyncIterator[OwnBroker]:
    folder = await asyncio.to_thread(temporary_folder, "sov-broker-")
    kept = Kept(folder)
    # Installs what is missing: a machine without the programs is no reason to skip.
    await provide.provide(folder, kept, print, names=(rabbitmq.NAME,), compose_file=compose_file())
    own = OwnBroker(folder)
    try:
        await own.server.start()
        yield own
    finally:
        own.thaw()
        await reap(folder)
        await own.server.kill()  # takes note of its end
