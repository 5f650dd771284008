"""One set of books with its queues and keys, on servers that it shares with others."""

from __future__ import annotations

import asyncio
import base64
import http.client
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from cli.access import Access
from cli.home import Home
from cli.provision import Provisioning, provision
from cli.servers import postgres, rabbitmq, rabbitmq_conf
from cli.servers.kept import Kept, read_json
from topology.settings import Settings


@dataclass(frozen=True, slots=True)
class Servers:
    """The two private servers that everything is measured on."""

    folder: Path
    kept: Kept

    @asynccontextmanager
    async def administrator(self, database: str) -> AsyncIterator[asyncpg.Connection[Any]]:
        connection = await asyncpg.connect(postgres.url(self.kept, postgres.ADMIN, database))
        try:
            yield connection
        finally:
            await connection.close()


@dataclass(slots=True)
class Installation:
    """A database and a vhost of one name, prepared as ``./sov up`` does it."""

    name: str
    servers: Servers
    home: Home
    access: Access
    wallets: list[str] = field(default_factory=list)
    """Ids of the funded wallets that load is put on."""
    system: str = ""
    """Id of the SYSTEM wallet that the funds came from."""

    @property
    def key(self) -> str:
        """An API key that may transfer, reserve and read."""
        return str(read_json(self.home.keys_file)["operator"])

    async def decided(self) -> int:
        """How many commands the consumers have decided."""
        async with self.servers.administrator(self.name) as connection:
            return int(await connection.fetchval("SELECT sum(next_number - 1) FROM sov.heads"))

    async def settle(self) -> None:
        """Let what filling left behind (events to tell, dead rows, dirty pages) disturb no
        measurement."""
        async with self.servers.administrator(self.name) as connection:
            await connection.execute(
                "UPDATE sov.relay_cursors c SET number = h.next_number - 1"
                " FROM sov.heads h WHERE h.partition = c.partition"
            )
            await connection.execute("VACUUM (ANALYZE)")
            await connection.execute("CHECKPOINT")


@asynccontextmanager
async def installed(servers: Servers, name: str) -> AsyncIterator[Installation]:
    """A fresh installation, deleted at the end of the block."""
    kept = servers.kept
    async with servers.administrator("postgres") as connection:
        await connection.execute(f"CREATE DATABASE {name} OWNER {postgres.OWNER}")
    await asyncio.to_thread(_manage, kept, "PUT", f"/api/vhosts/{name}")
    try:
        for user in rabbitmq.USERS:
            # What a user may do is said per vhost.
            permissions = rabbitmq_conf.PERMISSIONS[user]
            rules = {
                "configure": permissions.configure,
                "write": permissions.write,
                "read": permissions.read,
            }
            path = f"/api/permissions/{name}/{user}"
            await asyncio.to_thread(_manage, kept, "PUT", path, rules)
        home = Home(servers.folder / name)
        home.make()
        access = _access(kept, name)
        await provision(
            Provisioning(
                access=access,
                partitions=Settings().partitions,
                writer_password=kept.password(postgres.WRITER),
                reader_password=kept.password(postgres.READER),
                uploader_password=kept.password(postgres.UPLOADER),
                banker_password=kept.password(postgres.BANKER),
                keys_file=home.keys_file,
            )
        )
        yield Installation(name, servers, home, access)
    finally:
        await asyncio.to_thread(_manage, kept, "DELETE", f"/api/vhosts/{name}")
        async with servers.administrator("postgres") as connection:
            await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


def _access(kept: Kept, name: str) -> Access:
    owner, writer, reader, uploader, banker = (
        postgres.url(kept, user, name) for user in (postgres.OWNER, *postgres.ROLES)
    )
    administrator, gateway, consumer = (
        rabbitmq.url(kept, user).rpartition("/")[0] + f"/{name}" for user in rabbitmq.USERS
    )
    databases = (owner, writer, reader)
    brokers = (administrator, gateway, consumer)
    return Access(*databases, *brokers, frozenset(), uploader, banker)


def _manage(
    kept: Kept, method: str, path: str, body: dict[str, str] | Sequence[str] | None = None
) -> None:
    """A call of the broker's management interface: AMQP knows no vhosts to be made."""
    user = rabbitmq_conf.ADMIN
    credentials = f"{user}:{kept.password(rabbitmq.user_key(user))}"
    connection = http.client.HTTPConnection(
        "127.0.0.1", kept.port(rabbitmq.MANAGEMENT_PORT) or 0, timeout=20
    )
    try:
        connection.request(
            method,
            path,
            body=json.dumps(body or {}),
            headers={
                "Authorization": "Basic " + base64.b64encode(credentials.encode()).decode(),
                "Content-Type": "application/json",
            },
        )
        answer = connection.getresponse()
        text = answer.read()
        if answer.status >= http.client.BAD_REQUEST:
            raise RuntimeError(f"RabbitMQ refused {method} {path}: {text[:300]!r}")
    finally:
        connection.close()
