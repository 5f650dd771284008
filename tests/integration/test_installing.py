"""Installing packages leaves the machine's own arrangements as they were."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

import pytest

from cli import down
from cli.home import Home, compose_file
from cli.servers import binaries, docker, install, processes, provide
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.supervision import state
from cli.supervision.state import Phase, Snapshot
from tests.polling import until


async def test_a_guard_file_is_there_for_the_time_of_the_installation_only(tmp_path: Path) -> None:
    path = tmp_path / "new" / "policy"
    async with install.guard((), path, "exit 101\n"):
        assert path.read_text() == "exit 101\n"
        assert path.stat().st_mode & 0o777 == 0o755
    assert not path.exists()


async def test_somebody_elses_policy_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "policy"
    path.write_text("#!/bin/sh\nexit 0\n")
    async with install.guard((), path, "exit 101\n"):
        assert path.read_text() == "#!/bin/sh\nexit 0\n"
    assert path.exists()


async def test_what_a_killed_installation_left_is_removed(tmp_path: Path) -> None:
    paths = [tmp_path / path.name for path in install.GUARDS]
    for path, text in zip(paths, install.GUARDS.values(), strict=True):
        path.write_text(text)
    theirs = tmp_path / "theirs"
    theirs.write_text("#!/bin/sh\nexit 101\n")
    said: list[str] = []
    await install.remove_left_over_guards(said.append, [*paths, theirs], at_work=())
    assert [path.exists() for path in (*paths, theirs)] == [False, False, True]
    assert len(said) == 1
    await install.remove_left_over_guards(said.append, [*paths, theirs], at_work=())
    assert len(said) == 1


async def test_an_installation_that_outlived_its_up_keeps_its_guards(tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text(install.GUARDS[install.POLICY])
    installer = tmp_path / "sov-test-apt"
    shutil.copy("/bin/sleep", installer)
    process = await asyncio.create_subprocess_exec(installer, "1000")
    try:
        await until(lambda: processes.named([installer.name]))
        await install.remove_left_over_guards(print, [policy], at_work=[installer.name])
        assert policy.exists()
    finally:
        process.kill()
        await process.wait()
    await install.remove_left_over_guards(print, [policy], at_work=[installer.name])
    assert not policy.exists()


async def test_down_waits_for_an_installation_and_then_as_long_as_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit_s = 2.0
    monkeypatch.setattr(down, "_STOP_LIMIT_S", limit_s)
    here = Home(tmp_path)
    process = await asyncio.create_subprocess_exec("sleep", "1000")
    identity = processes.identify(process.pid)
    assert identity is not None

    def write(phase: Phase) -> Snapshot:
        ours = (identity.pid, identity.started_ticks)
        snapshot = Snapshot(*ours, phase, time.time(), "", "", (), (), ())
        state.write(here.state_file, snapshot)
        return snapshot

    following = asyncio.create_task(asyncio.to_thread(down._follow, here, write("starting")))
    began = time.monotonic()
    try:
        await until(lambda: write("starting") and time.monotonic() > began + 2 * limit_s)
        assert not following.done()
        write("stopping")
        await following
    finally:
        process.kill()
        await process.wait()


async def test_without_any_way_every_option_is_listed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object) -> None:
        raise ServerUnavailable("no rights")

    async def none() -> None:
        return None

    monkeypatch.setattr(binaries, "find_postgres", lambda: None)
    monkeypatch.setattr(install, "with_apt", refuse)
    monkeypatch.setattr(docker, "compose_command", none)
    with pytest.raises(ServerUnavailable) as raised:
        await provide.provide(tmp_path, Kept(tmp_path), print, compose_file=compose_file())
    for option in ("no rights", "apt-get", "Docker", "SOV_DATABASE_URL", "PostgreSQL (13"):
        assert option in str(raised.value)


def test_the_newest_release_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    erlang = tmp_path / "erl"
    erlang.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    for version in ("3.9.29", "3.10.8", "3.13.7", "3.12.14"):
        program = tmp_path / f"rabbitmq_server-{version}" / "sbin" / "rabbitmq-server"
        program.parent.mkdir(parents=True)
        program.touch()
    found = binaries.find_rabbitmq((f"{tmp_path}/rabbitmq_server-*/sbin",))
    assert found is not None
    assert "3.13.7" in str(found.server)


def test_the_newest_major_wins_by_what_the_program_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for folder, version in (("a", "13.4"), ("b", "17.2 (Debian 17.2-1)"), ("c", "9.6")):
        for program in ("postgres", "initdb"):
            path = tmp_path / folder / "bin" / program
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"#!/bin/sh\necho 'postgres (PostgreSQL) {version}'\n")
            path.chmod(0o755)
    found = binaries.find_postgres((f"{tmp_path}/*/bin",))
    assert found is not None
    assert found.postgres == tmp_path / "b" / "bin" / "postgres"
