"""Installing packages leaves the machine's own arrangements as they were."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.home import compose_file
from cli.servers import binaries, docker, install, provide
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept


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
