"""Data that cannot lie in the project's folder goes where nobody else has prepared the ground."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cli.servers import places
from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept
from cli.servers.places import RunAs


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stands in for a folder below `/var/tmp`, which does not exist yet."""
    found = tmp_path / "elsewhere"
    monkeypatch.setattr(places, "_elsewhere", lambda: found)
    return found


def settle(tmp_path: Path) -> Path:
    """For a project in a folder that RabbitMQ cannot cope with."""
    folder = tmp_path / "with space"
    folder.mkdir(exist_ok=True)
    return places.settle(folder, "rabbitmq", Kept(folder), RunAs(), print)


def test_it_is_made_and_then_found_again(tmp_path: Path, elsewhere: Path) -> None:
    place = settle(tmp_path)
    assert elsewhere in place.parents
    assert place.stat().st_mode & 0o777 == 0o700
    assert settle(tmp_path) == place


def test_a_link_to_somewhere_else_is_refused(tmp_path: Path, elsewhere: Path) -> None:
    (tmp_path / "theirs").mkdir()
    elsewhere.symlink_to(tmp_path / "theirs")
    with pytest.raises(ServerUnavailable, match="is no folder"):
        settle(tmp_path)
    assert list((tmp_path / "theirs").iterdir()) == []


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_folder_that_others_can_write_is_refused(
    tmp_path: Path, elsewhere: Path, mode: int
) -> None:
    elsewhere.mkdir()
    elsewhere.chmod(mode)
    with pytest.raises(ServerUnavailable, match="written by others"):
        settle(tmp_path)


def test_each_level_is_looked_at_each_time(tmp_path: Path, elsewhere: Path) -> None:
    place = settle(tmp_path)
    place.parent.chmod(0o733)
    with pytest.raises(ServerUnavailable, match=str(place.parent)):
        settle(tmp_path)
    assert elsewhere.exists()


def test_somebody_elses_folder_is_refused(
    tmp_path: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere.mkdir(mode=0o711)
    ourselves = elsewhere.stat().st_uid
    monkeypatch.setattr(os, "geteuid", lambda: ourselves + 1)
    with pytest.raises(ServerUnavailable, match="somebody else"):
        settle(tmp_path)
