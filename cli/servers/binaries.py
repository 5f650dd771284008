"""The servers' programs, found rather than assumed: every distribution has other majors."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# Where distributions and the projects' own packages put them, besides PATH.
POSTGRES_GLOBS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql/bin",
    "/usr/local/pgsql/bin",
)
# The package's own folder: the wrappers on PATH change user and folders (and refuse some users).
RABBITMQ_GLOBS = (
    "/usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "/usr/lib/rabbitmq/bin",
    "/opt/rabbitmq/sbin",
    "/usr/local/lib/rabbitmq_server-*/sbin",
)
OLDEST_POSTGRES = 13
OLDEST_RABBITMQ = (3, 10)


@dataclass(frozen=True, slots=True)
class PostgresPrograms:
    initdb: Path
    postgres: Path


@dataclass(frozen=True, slots=True)
class RabbitmqPrograms:
    server: Path


def find_postgres(globs: Sequence[str] = POSTGRES_GLOBS) -> PostgresPrograms | None:
    """The newest installed major that has both programs, or None."""
    folders = _folders(globs)
    on_path = shutil.which("postgres")
    if on_path is not None:
        folders.append(Path(on_path).resolve().parent)
    whole = [folder for folder in folders if (folder / "initdb").is_file()]
    versions = {folder: _postgres_version(folder / "postgres") for folder in whole}
    newest = max(versions, key=lambda folder: versions[folder], default=None)
    if newest is None or versions[newest] < OLDEST_POSTGRES:
        return None
    return PostgresPrograms(newest / "initdb", newest / "postgres")


def find_rabbitmq(globs: Sequence[str] = RABBITMQ_GLOBS) -> RabbitmqPrograms | None:
    """The newest installed release together with its Erlang, or None."""
    if shutil.which("erl") is None:
        return None
    for folder in sorted(_folders(globs), key=_rabbitmq_version, reverse=True):
        version = _rabbitmq_version(folder)
        if version and version < OLDEST_RABBITMQ:
            continue
        if (folder / "rabbitmq-server").is_file():
            return RabbitmqPrograms(folder / "rabbitmq-server")
    return None


def _folders(globs: Sequence[str]) -> list[Path]:
    return [folder for pattern in globs for folder in Path("/").glob(pattern.removeprefix("/"))]


def _postgres_version(program: Path) -> int:
    """Its major, asked of the program itself; 0 where it cannot be run."""
    try:
        answer = subprocess.run(
            [str(program), "--version"], capture_output=True, text=True, timeout=10, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return 0
    number = re.search(r"\)\s+(\d+)", answer.stdout)
    return int(number[1]) if number else 0


def _rabbitmq_version(folder: Path) -> tuple[int, ...]:
    """As in its folder's name (asking would start an Erlang machine); none sorts below any."""
    number = re.search(r"rabbitmq_server-(\d+(?:\.\d+)*)", str(folder.resolve()))
    return tuple(int(part) for part in number[1].split(".")) if number else ()
