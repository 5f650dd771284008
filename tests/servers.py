"""Servers for tests: given by URL, else containers, else private ones in a temporary folder.

``SOV_TEST_DATABASE_URL`` and ``SOV_TEST_AMQP_URL`` name given ones; ``SOV_TEST_SERVERS`` may be
``private`` or ``containers`` to have only these. What cannot be had is a failure, never a skip.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from aio_pika.abc import AbstractConnection

from cli.servers import postgres, rabbitmq, rabbitmq_conf
from cli.servers.throwaway import throwaway
from ledger.database import connect_owner
from topology import connections

POSTGRES_IMAGE = "postgres:17"
RABBITMQ_IMAGE = "rabbitmq:4.1"
DOCKER_SOCKET = "/var/run/docker.sock"
_PULL_LIMIT_S = 60.0
_DOCKER_LIMIT_S = 5.0
_CONTAINER_LIMIT_S = 60.0
_POSTGRES_PORT, _RABBITMQ_PORT = 5432, 5672
_PASSWORD = "of-a-container-for-tests"


@dataclass(frozen=True, slots=True)
class Servers:
    """Two servers that live as long as the test session.

    ``admin_dsn`` may create databases and roles; ``owner_dsn`` is an ordinary owner's, for the
    database it names. ``amqp_url`` is the broker's administrator.
    """

    kind: str
    admin_dsn: str
    owner_dsn: str
    amqp_url: str


class NoServers(Exception):
    """The tests cannot have what they need; the text says why."""


def running(environment: Mapping[str, str]) -> AbstractAsyncContextManager[Servers]:
    """Servers for the time of the block. Raises ``NoServers`` or ``ServerUnavailable``."""
    wanted = environment.get("SOV_TEST_SERVERS", "")
    if wanted not in ("", "private", "containers"):
        raise NoServers(f"SOV_TEST_SERVERS={wanted}: it must be private or containers")
    database = environment.get("SOV_TEST_DATABASE_URL")
    broker = environment.get("SOV_TEST_AMQP_URL")
    if database and broker:
        if int(environment.get("PYTEST_XDIST_WORKER_COUNT", "1")) > 1:
            raise NoServers("given servers are one of each: run the tests without -n")
        return _given(Servers("given by URL", database, database, broker))
    if database or broker:
        raise NoServers("set both SOV_TEST_DATABASE_URL and SOV_TEST_AMQP_URL, or neither")
    return private() if wanted == "private" else _containers(forced=wanted == "containers")


@asynccontextmanager
async def private() -> AsyncIterator[Servers]:
    """Our own private servers in a temporary folder; gone with it even if we are killed."""
    async with throwaway("sov-test-", print) as (_, kept):
        yield Servers(
            "private",
            postgres.url(kept, postgres.ADMIN),
            postgres.url(kept, postgres.OWNER),
            rabbitmq.url(kept, rabbitmq_conf.ADMIN),
        )


@asynccontextmanager
async def _given(servers: Servers) -> AsyncIterator[Servers]:
    yield servers


@asynccontextmanager
async def _containers(*, forced: bool) -> AsyncIterator[Servers]:
    problem = await _why_no_containers()
    async with AsyncExitStack() as stack:
        if problem and forced:
            raise NoServers(f"SOV_TEST_SERVERS=containers, but {problem}")
        if problem:
            yield await stack.enter_async_context(private())
            return
        yield await _start_containers(stack)


async def _start_containers(stack: AsyncExitStack) -> Servers:
    # Imported here: the package looks for Docker when it is imported. Its generic container,
    # because the special ones need drivers of their own only to ask whether the server is up.
    from testcontainers.core.config import testcontainers_config
    from testcontainers.core.container import DockerContainer

    # Its reaper would be a third image to pull; ours are stopped at the end of the block.
    testcontainers_config.ryuk_disabled = True
    database = (
        DockerContainer(POSTGRES_IMAGE)
        .with_env("POSTGRES_USER", "sov_admin")
        .with_env("POSTGRES_PASSWORD", _PASSWORD)
        .with_env("POSTGRES_DB", "sov")
        .with_exposed_ports(_POSTGRES_PORT)
    )
    broker = (
        DockerContainer(RABBITMQ_IMAGE)
        .with_env("RABBITMQ_DEFAULT_USER", "sov_admin")
        .with_env("RABBITMQ_DEFAULT_PASS", _PASSWORD)
        .with_env("RABBITMQ_DEFAULT_VHOST", "sov")
        .with_exposed_ports(_RABBITMQ_PORT)
    )
    for container in (database, broker):
        stack.callback(container.stop)
    await asyncio.gather(asyncio.to_thread(database.start), asyncio.to_thread(broker.start))
    credentials = f"sov_admin:{_PASSWORD}"
    dsn = f"postgresql://{credentials}@{_address(database, _POSTGRES_PORT)}/sov"
    amqp = f"amqp://{credentials}@{_address(broker, _RABBITMQ_PORT)}/sov"
    await asyncio.gather(_until_up(lambda: connect_owner(dsn)), _until_up(lambda: _connect(amqp)))
    return Servers("containers", dsn, dsn, amqp)


def _address(container: Any, port: int) -> str:
    return f"{container.get_container_host_ip()}:{container.get_exposed_port(port)}"


async def _connect(url: str) -> AbstractConnection:
    return await connections.connect(url, "tests")


async def _until_up(connect: Callable[[], Awaitable[Any]]) -> None:
    """Wait until the server in the container does; both start their work a while after it."""
    async with asyncio.timeout(_CONTAINER_LIMIT_S):
        while True:
            try:
                await (await connect()).close()
            except (*connections.BROKER_ERRORS, asyncpg.PostgresError):
                await asyncio.sleep(0.2)
            else:
                return


async def _why_no_containers() -> str:
    """Empty when Docker answers and has the images, or gets them within a minute."""
    if not os.environ.get("DOCKER_HOST") and not _answers(DOCKER_SOCKET):
        return "no Docker engine answers"
    from docker.errors import DockerException  # type: ignore[import-untyped]

    try:
        await asyncio.wait_for(asyncio.to_thread(_get_images), _PULL_LIMIT_S + _DOCKER_LIMIT_S)
    except (DockerException, TimeoutError, OSError) as problem:
        return f"Docker has no images for us: {problem}"
    return ""


def _answers(path: str) -> bool:
    # Asked before the library is: it leaves its socket open when nobody answers.
    with socket.socket(socket.AF_UNIX) as knocking:
        try:
            knocking.connect(path)
        except OSError:
            return False
    return True


def _get_images() -> None:
    import docker  # type: ignore[import-untyped]

    client: Any = docker.from_env(timeout=int(_PULL_LIMIT_S))
    try:
        for image in (POSTGRES_IMAGE, RABBITMQ_IMAGE):
            if not client.images.list(name=image):
                client.images.pull(image)
    finally:
        client.close()
