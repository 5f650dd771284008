"""`./sov up` and `down` from the outside: real servers, stand-ins for our own processes."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cli.access import own_fields
from cli.home import Home, path_for_children
from cli.servers import processes, provide
from cli.servers.processes import ProcessId
from cli.servers.throwaway import reap, temporary_folder
from cli.supervision import state
from tests.polling import until


@dataclass(frozen=True, slots=True)
class Answer:
    code: int
    out: str
    err: str


class Installation:
    """A folder in which `up` was called; each test leaves it running."""

    def __init__(self, folder: Path) -> None:
        self.home = Home(folder)

    async def sov(self, *arguments: str, **more: str) -> Answer:
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("SOV_")},
            **path_for_children(os.environ),
            "SOV_HOME": str(self.home.folder),
            "SOV_PORT": "0",
            **more,
        }
        program = (sys.executable, "-m", "tests.integration.stand_in_up")
        process = await asyncio.create_subprocess_exec(
            *program, *arguments, env=environment, stdout=-1, stderr=-1
        )
        out, err = await asyncio.wait_for(process.communicate(), 120)
        assert process.returncode is not None
        return Answer(process.returncode, out.decode(), err.decode())

    async def status(self) -> dict[str, Any]:
        answer = await self.sov("status", "--json")
        found: dict[str, Any] = json.loads(answer.out)
        return found

    def servers(self) -> list[ProcessId]:
        places = [self.home.kept.place(name) for name in provide.BOTH]
        return [found for place in places if place for found in processes.carrying(place)]

    def children(self) -> list[ProcessId]:
        snapshot = state.read(self.home.state_file)
        assert snapshot is not None
        return [view.identity for view in snapshot.processes if view.identity]


@pytest.fixture(scope="module")
async def installation() -> AsyncIterator[Installation]:
    folder = await asyncio.to_thread(temporary_folder, "sov-test-up-")
    made = Installation(folder)
    try:
        answer = await made.sov("up", "--detach")
        assert answer.code == 0, answer.err
        assert "http://127.0.0.1:" in answer.out
        yield made
    finally:
        await made.sov("down")
        await reap(folder)


async def test_everything_is_ready_and_both_servers_are_among_the_processes(
    installation: Installation,
) -> None:
    answer = await installation.sov("status", "--json")
    assert answer.code == 0
    seen = json.loads(answer.out)
    assert seen["running"] is True
    states = {each["name"]: each["state"] for each in seen["processes"]}
    names = ("postgresql", "rabbitmq", "gateway", "relay", "consumer")
    assert states == dict.fromkeys(names, "ready")
    assert all(each["pid"] and each["restarts"] == 0 for each in seen["processes"])
    assert seen["database"] == {"reachable": True, "primary": True, "problem": ""}
    assert seen["broker"] == {"reachable": True, "alarms": "none", "problem": ""}


async def test_a_second_up_says_so_and_changes_nothing(installation: Installation) -> None:
    before = await installation.status()
    for arguments in (("up",), ("up", "--detach")):
        answer = await installation.sov(*arguments)
        assert answer.code == 0
        assert "already running" in answer.out
        assert before["url"] in answer.out
    after = await installation.status()
    assert after["processes"] == before["processes"]
    assert after["supervisor"]["pid"] == before["supervisor"]["pid"]


async def test_env_can_be_evaluated_and_its_servers_still_count_as_ours(
    installation: Installation,
) -> None:
    answer = await installation.sov("env")
    script = (
        f'eval "$1"; {sys.executable} -c "import json, os; print(json.dumps(dict(os.environ)))"'
    )
    shell = await asyncio.create_subprocess_exec("bash", "-c", script, "-", answer.out, stdout=-1)
    out, _ = await shell.communicate()
    exported = {name: value for name, value in json.loads(out).items() if name.startswith("SOV_")}
    assert {"SOV_URL", "SOV_AMQP_URL", "SOV_DATABASE_URL", "SOV_KEY_BATCH"} <= set(exported)
    assert exported["SOV_KEY_ECLIPSE"] == "key of eclipse"
    assert own_fields(exported, installation.home.kept) == {"database_url", "amqp_url"}
    configured = await installation.sov("config", SOV_DATABASE_URL=exported["SOV_DATABASE_URL"])
    line = next(line for line in configured.out.splitlines() if "SOV_DATABASE_URL=" in line)
    assert "# local servers" in line
    assert ":***@" in line


async def test_secrets_are_for_us_alone(installation: Installation) -> None:
    home = installation.home
    for path in (home.keys_file, home.access_file, home.folder / "passwords.json"):
        assert path.stat().st_mode & 0o777 == 0o600
    readable = installation.home.state_file.read_text()
    assert "password" not in readable


async def test_a_killed_child_is_counted(installation: Installation) -> None:
    [relay] = [each for each in (await installation.status())["processes"] if "relay" in str(each)]
    os.kill(relay["pid"], signal.SIGKILL)

    def restarted() -> bool:
        snapshot = state.read(installation.home.state_file)
        assert snapshot is not None
        return snapshot.ready and any(view.restarts for view in snapshot.processes)

    await until(restarted)
    [again] = [each for each in (await installation.status())["processes"] if "relay" in str(each)]
    assert (again["restarts"], again["state"]) == (1, "ready")


async def test_after_a_kill_children_end_and_the_next_up_adopts_the_servers(
    installation: Installation,
) -> None:
    before = await installation.status()
    children, servers = installation.children(), installation.servers()
    os.kill(before["supervisor"]["pid"], signal.SIGKILL)
    assert await processes.gone(children, 5.0)
    assert (await installation.sov("status")).code == 3
    assert installation.servers() == servers
    answer = await installation.sov("up", "--detach")
    assert answer.code == 0, answer.err
    assert installation.servers() == servers
    assert (await installation.status())["url"] == before["url"]


async def test_a_killed_server_is_started_again(installation: Installation) -> None:
    database = (await installation.status())["processes"][0]
    os.kill(database["pid"], signal.SIGKILL)

    def back() -> bool:
        snapshot = state.read(installation.home.state_file)
        return snapshot is not None and snapshot.ready and snapshot.processes[0].restarts == 1

    await until(back)
    assert (await installation.sov("status")).code == 0


async def test_down_without_a_supervisor_stops_what_was_left(installation: Installation) -> None:
    os.kill((await installation.status())["supervisor"]["pid"], signal.SIGKILL)
    assert (await installation.sov("down")).code == 0
    assert installation.servers() == []
    answer = await installation.sov("up", "--detach")
    assert answer.code == 0, answer.err


async def test_wipe_refuses_a_database_that_was_given(installation: Installation) -> None:
    answer = await installation.sov(
        "down", "--wipe", SOV_DATABASE_URL="postgresql://somebody@database.example/theirs"
    )
    assert answer.code == 1
    assert "refused" in answer.err
    assert (await installation.status())["running"] is True


# Last in this file: it stops and deletes what the others share.
async def test_down_leaves_nothing_and_wipe_deletes_the_data(installation: Installation) -> None:
    children = installation.children()
    places = [installation.home.kept.place(name) for name in provide.BOTH]
    answer = await installation.sov("down", "--wipe")
    assert answer.code == 0, answer.err
    assert await processes.gone(children, 0)
    for place in places:
        assert place is not None
        assert processes.carrying(place) == []
        assert not place.exists()
    assert not installation.home.keys_file.exists()
    assert (await installation.sov("status", "--json")).code == 3
