"""Private servers: nobody else's, nobody else can use them, and nothing of them stays."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from aio_pika.exceptions import AMQPConnectionError
from aiormq.exceptions import ChannelAccessRefused

from cli import probes
from cli.home import compose_file, path_for_children
from cli.servers import binaries, postgres, processes, provide, rabbitmq, rabbitmq_conf
from cli.servers.kept import Kept
from cli.servers.postgres import PostgresServer
from cli.servers.processes import ProcessId
from cli.servers.rabbitmq import RabbitmqServer
from cli.servers.throwaway import reap, temporary_folder

STANDARD_PORTS = {5432, 5672, 4369, 15672, 25672}


class Installation:
    """Both servers of one folder, as the supervisor would hold them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.kept = Kept(folder)
        self.said: list[str] = []
        self.made: list[provide.Server] = []

    def postgres(self) -> provide.Server:
        programs = binaries.find_postgres()
        assert programs is not None
        self.made.append(PostgresServer(self.folder, self.kept, programs, self.said.append))
        return self.made[-1]

    def rabbitmq(self) -> provide.Server:
        programs = binaries.find_rabbitmq()
        assert programs is not None
        self.made.append(RabbitmqServer(self.folder, self.kept, programs, self.said.append))
        return self.made[-1]

    def running(self) -> list[ProcessId]:
        places = [self.kept.place(name) for name in provide.BOTH]
        return [found for place in places if place for found in processes.carrying(place)]


@pytest.fixture(scope="module")
async def installation() -> AsyncIterator[Installation]:
    folder = await asyncio.to_thread(temporary_folder, "sov test é ")
    found = Installation(folder)
    try:
        # Installs what is missing: a machine without the programs is no reason to skip.
        found.made += await provide.provide(
            folder, found.kept, found.said.append, compose_file=compose_file()
        )
        async with asyncio.TaskGroup() as group:
            for server in found.made:
                group.create_task(server.start())
        yield found
    finally:
        await reap(folder)
        for server in found.made:
            server.alive()  # takes note of its end


def listeners(pids: set[int]) -> set[tuple[str, int]]:
    """Address and port of every TCP socket that one of ``pids`` listens on."""
    inodes = {
        os.readlink(entry)
        for pid in pids
        for entry in Path(f"/proc/{pid}/fd").iterdir()
        if entry.is_symlink()
    }
    found = set()
    for table, family in (("tcp", socket.AF_INET), ("tcp6", socket.AF_INET6)):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                raw, port = fields[1].split(":")
                words = [bytes.fromhex(raw[at : at + 8])[::-1] for at in range(0, len(raw), 8)]
                found.add((socket.inet_ntop(family, b"".join(words)), int(port, 16)))
    return found


def test_they_listen_on_loopback_only_and_on_no_standard_port(installation: Installation) -> None:
    found = listeners({process.pid for process in installation.running()})
    assert found, "no listening socket found: the test itself is blind"
    assert {address for address, _ in found} <= {"127.0.0.1", "::1", "::ffff:127.0.0.1"}
    assert not {port for _, port in found} & STANDARD_PORTS


def test_they_run_as_unprivileged_users_and_hide_their_data(installation: Installation) -> None:
    for process in installation.running():
        assert Path(f"/proc/{process.pid}").stat().st_uid != 0
    for name in provide.BOTH:
        place = installation.kept.place(name)
        assert place is not None
        assert place.stat().st_mode & 0o077 == 0
    assert (installation.folder / "passwords.json").stat().st_mode & 0o077 == 0


async def test_the_database_is_made_for_a_ledger(installation: Installation) -> None:
    connection = await asyncpg.connect(postgres.url(installation.kept, postgres.OWNER))
    try:
        settings = {
            row["name"]: row["setting"]
            for row in await connection.fetch("SELECT name, setting FROM pg_settings")
        }
        role = await connection.fetchrow("SELECT * FROM pg_roles WHERE rolname = current_user")
        locale = await connection.fetchrow(
            "SELECT pg_encoding_to_char(encoding) AS encoding, datcollate FROM pg_database"
            " WHERE datname = current_database()"
        )
    finally:
        await connection.close()
    wanted = {"fsync": "on", "synchronous_commit": "on", "data_checksums": "on", "TimeZone": "UTC"}
    assert {name: settings[name] for name in wanted} == wanted
    assert settings["password_encryption"] == "scram-sha-256"
    assert role is not None
    assert (role["rolsuper"], role["rolcreaterole"]) == (False, True)
    assert locale is not None
    assert (locale["encoding"], locale["datcollate"]) == ("UTF8", "C.UTF-8")


async def test_nobody_enters_without_the_password(installation: Installation) -> None:
    port = installation.kept.port(postgres.PORT)
    for user in (postgres.ADMIN, postgres.OWNER, "postgres"):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(f"postgresql://{user}:wrong@127.0.0.1:{port}/sov")
    broker = installation.kept.port(rabbitmq.PORT)
    for user in ("guest:guest", "sov_admin:sov_admin"):
        with pytest.raises(AMQPConnectionError):
            await aio_pika.connect(f"amqp://{user}@127.0.0.1:{broker}/sov")


async def test_a_gateway_may_publish_and_own_reply_queues_and_nothing_else(
    installation: Installation,
) -> None:
    administrator = await connect(installation, rabbitmq_conf.ADMIN)
    gateway = await connect(installation, rabbitmq_conf.GATEWAY)
    async with administrator, gateway:
        channel = await administrator.channel()
        await channel.declare_queue("commands.1.p000", durable=True)
        channel = await gateway.channel(on_return_raises=True)
        replies = await channel.declare_queue("replies.abc", exclusive=True)
        async with replies.iterator():
            pass
        await channel.declare_queue("commands.1.p000", passive=True)
        await publish(channel, "commands.1.p000")
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("commands.1.p001", durable=True)
        channel = await gateway.channel()
        queue = await channel.get_queue("commands.1.p000", ensure=False)
        with pytest.raises(ChannelAccessRefused):
            await queue.consume(ignore)
        channel = await gateway.channel()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_exchange("sov.events", "topic")


async def test_a_consumer_works_command_queues_and_may_answer(installation: Installation) -> None:
    consumer = await connect(installation, rabbitmq_conf.CONSUMER)
    async with consumer:
        channel = await consumer.channel(on_return_raises=True)
        commands = await channel.declare_queue(
            "commands.2.p000",
            durable=True,
            arguments={"x-queue-type": "quorum", "x-single-active-consumer": True},
        )
        events = await channel.declare_exchange("sov.events", "topic", durable=True)
        await events.publish(aio_pika.Message(b"{}"), "transfer.posted.0", mandatory=False)
        await publish(channel, "commands.2.p000")
        message = await asyncio.wait_for(next_message(commands), 5)
        await message.ack()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("replies.mine", exclusive=True)
        channel = await consumer.channel()
        with pytest.raises(ChannelAccessRefused):
            await channel.declare_queue("anything")


async def test_the_health_check_of_the_broker_answers(installation: Installation) -> None:
    kept = installation.kept
    port = kept.port(rabbitmq.MANAGEMENT_PORT)
    assert port is not None
    password = kept.password(rabbitmq.user_key(rabbitmq_conf.ADMIN))
    assert await probes.alarms(port, rabbitmq_conf.ADMIN, password) == "none"
    assert await probes.alarms(port, rabbitmq_conf.ADMIN, "wrong") == "unknown"


async def test_migrate_makes_the_users_that_it_is_given_passwords_for(
    installation: Installation,
) -> None:
    kept = installation.kept
    password = kept.password(rabbitmq.user_key(rabbitmq_conf.ADMIN))
    management = f"http://{rabbitmq_conf.ADMIN}:{password}@127.0.0.1"
    environment = {
        **os.environ,
        **path_for_children(os.environ),
        "SOV_DATABASE_URL": postgres.url(kept, postgres.OWNER),
        "SOV_WRITER_PASSWORD": kept.password(postgres.WRITER),
        "SOV_READER_PASSWORD": kept.password(postgres.READER),
        "SOV_UPLOADER_PASSWORD": kept.password(postgres.UPLOADER),
        "SOV_BANKER_PASSWORD": kept.password(postgres.BANKER),
        "SOV_AMQP_GATEWAY_PASSWORD": "fresh",
        # What the other tests here go on with.
        "SOV_AMQP_CONSUMER_PASSWORD": kept.password(rabbitmq.user_key(rabbitmq_conf.CONSUMER)),
    }
    code, said = await migrate(environment)
    assert code == 1
    assert "SOV_AMQP_MANAGEMENT_URL" in said
    known = kept.port(rabbitmq.MANAGEMENT_PORT)
    code, said = await migrate({**environment, "SOV_AMQP_MANAGEMENT_URL": f"{management}:{known}"})
    assert code == 0, said
    for user in postgres.ROLES:
        await (await asyncpg.connect(postgres.url(kept, user))).close()
    amqp = rabbitmq.url(kept, rabbitmq_conf.GATEWAY)
    old = kept.password(rabbitmq.user_key(rabbitmq_conf.GATEWAY))
    await (await aio_pika.connect(amqp.replace(old, "fresh"), timeout=5)).close()
    environment["SOV_AMQP_GATEWAY_PASSWORD"] = old
    code, said = await migrate({**environment, "SOV_AMQP_MANAGEMENT_URL": f"{management}:{known}"})
    assert code == 0, said
    await (await connect(installation, rabbitmq_conf.GATEWAY)).close()
    await (await connect(installation, rabbitmq_conf.CONSUMER)).close()


async def migrate(environment: dict[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli", "migrate"), env=environment, stdout=-1, stderr=-1
    )
    out, err = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode is not None
    return process.returncode, (out + err).decode()


async def test_running_servers_are_adopted_not_started_twice(installation: Installation) -> None:
    before = {process.pid for process in installation.running()}
    for server in (installation.postgres(), installation.rabbitmq()):
        assert not server.alive()
        await server.start()
        assert server.pid in before
        assert server.alive()


async def test_killed_and_started_again_everything_acknowledged_is_there(
    installation: Installation,
) -> None:
    dsn = postgres.url(installation.kept, postgres.OWNER)
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE TABLE acknowledged AS SELECT 42 AS answer")
    await connection.close()
    server = installation.postgres()
    assert isinstance(server, PostgresServer)
    await server.start()
    await server.kill()
    assert not server.alive()
    await server.start()
    connection = await asyncpg.connect(dsn)
    assert await connection.fetchval("SELECT answer FROM acknowledged") == 42
    await connection.close()


async def test_a_taken_port_is_left_to_whoever_has_it(installation: Installation) -> None:
    server = installation.postgres()
    await server.stop()
    port = installation.kept.port(postgres.PORT)
    assert port is not None
    with socket.create_server(("127.0.0.1", port)):
        await server.start()
        assert installation.kept.port(postgres.PORT) != port
        assert "taken" in installation.said[-1]


# Last in this file: it stops what the others share.
async def test_stopped_servers_leave_no_process_behind(installation: Installation) -> None:
    assert installation.running()
    async with asyncio.TaskGroup() as group:
        group.create_task(installation.postgres().stop())
        group.create_task(installation.rabbitmq().stop())
    assert installation.running() == []


async def connect(installation: Installation, user: str) -> aio_pika.abc.AbstractConnection:
    return await aio_pika.connect(rabbitmq.url(installation.kept, user), timeout=5)


async def ignore(_: aio_pika.abc.AbstractIncomingMessage) -> None:
    return


async def publish(channel: aio_pika.abc.AbstractChannel, queue: str) -> None:
    await channel.default_exchange.publish(aio_pika.Message(b"x"), queue, timeout=5)


async def next_message(
    queue: aio_pika.abc.AbstractQueue,
) -> aio_pika.abc.AbstractIncomingMessage:
    async with queue.iterator() as messages:
        return await anext(messages)
