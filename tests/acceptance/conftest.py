"""One running system for all promises: real processes, HTTP in, books out."""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cli.home import path_for_children
from cli.servers.throwaway import temporary_folder
from tests import databases
from tests.databases import assert_books_hold
from tests.integration.processes import delete_queues
from tests.servers import Servers
from topology import connections

_UP_LIMIT_S = 120


@dataclass(frozen=True, slots=True)
class System:
    """Where the system is and how to get in; ``sov`` runs a command of its command line."""

    url: str
    keys: Mapping[str, str]
    database_url: str
    environment: Mapping[str, str]

    def headers(self, role: str = "eclipse") -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys[role]}"}

    async def sov(self, *arguments: str, expect: int = 0) -> str:
        return await sov(self.environment, *arguments, expect=expect)


async def sov(environment: Mapping[str, str], *arguments: str, expect: int = 0) -> str:
    """Run ``./sov`` with these arguments; answers what it printed on stdout."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cli",
        *arguments,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(_UP_LIMIT_S):
            out, err = await process.communicate()
    except TimeoutError:
        process.kill()
        raise
    assert process.returncode == expect, f"sov {arguments}: {process.returncode}\n{out!r}\n{err!r}"
    return out.decode()


def environment_of(folder: Path, **more: str) -> dict[str, str]:
    """An environment for ``./sov`` with a home of its own and none of the caller's settings."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("SOV_")}
    return {
        **clean,
        **path_for_children(clean),
        "SOV_HOME": str(folder),
        "SOV_PORT": "0",
        **more,
    }


def exported(printed: str) -> dict[str, str]:
    """The lines of ``./sov env`` as a dictionary."""
    words = shlex.split(printed)
    return dict(word.split("=", 1) for word in words if word != "export")


@pytest.fixture(scope="package")
async def system(servers: Servers) -> AsyncIterator[System]:
    """Brought up by ``./sov up`` on a database and queues of the test servers."""
    folder = temporary_folder("sov-system-")
    name = await databases.make_template(servers)
    database = databases.named(servers, name)
    environment = environment_of(
        folder,
        SOV_DATABASE_URL=database.owner,
        SOV_DATABASE_URL_WRITER=database.writer,
        SOV_DATABASE_URL_READER=database.reader,
        SOV_DATABASE_URL_UPLOADER=database.uploader,
        SOV_DATABASE_URL_BANKER=database.banker,
        SOV_AMQP_URL=servers.amqp_url,
        SOV_BANK_SIMULATOR="1",
    )
    broker = await connections.connect(servers.amqp_url, "tests")
    try:
        await delete_queues(broker)
        await sov(environment, "up", "--detach")
        shown = exported(await sov(environment, "env"))
        yield System(
            url=shown["SOV_URL"],
            keys={
                role: shown[f"SOV_KEY_{role.upper()}"]
                for role in ("eclipse", "operator", "batch", "reader", "bank", "approver")
            },
            database_url=database.owner,
            environment=environment,
        )
    finally:
        await sov(environment, "down")
        await delete_queues(broker)
        await connections.close(broker)
        await databases.drop(servers, name)
        shutil.rmtree(folder)


@pytest.fixture(autouse=True)
async def audited(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """After each test that used the system its books are audited."""
    yield
    if "system" in request.fixturenames:
        system: System = request.getfixturevalue("system")
        await assert_books_hold(system.database_url)
