"""Where a server's data lies, and as whom it runs."""

from __future__ import annotations

import hashlib
import os
import pwd
import re
import shutil
import stat
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from cli.servers.failures import ServerUnavailable
from cli.servers.kept import Kept

# For data of services, by convention; used only where the project's own folder will not do.
ELSEWHERE = Path("/var/lib/store-of-value")
_PLAIN = re.compile(r"[A-Za-z0-9_./+@:,=-]+")

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class RunAs:
    """The user a server runs as; ``None`` fields mean ourselves."""

    uid: int | None = None
    gid: int | None = None

    def can_enter(self, folder: Path) -> bool:
        """Whether this user may pass through ``folder`` and all its parents."""
        # Asked of the kernel by a process of that user: mode bits alone miss ACLs and odd mounts.
        asked = subprocess.run(
            ["/usr/bin/test", "-x", str(folder)],
            check=False,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            cwd="/",
        )
        return asked.returncode == 0

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


def run_as(package_user: str) -> RunAs:
    """Both servers refuse or advise against root: as root we become the package's own user."""
    if os.geteuid() != 0:
        return RunAs()
    try:
        entry = pwd.getpwnam(package_user)
    except KeyError:
        raise ServerUnavailable(
            f"we are root and there is no user {package_user!r} to run the server as"
        ) from None
    return RunAs(entry.pw_uid, entry.pw_gid)


def settle(folder: Path, name: str, kept: Kept, who: RunAs, say: Say) -> Path:
    """The server's own folder (0700, its user's), made on first use and the same ever after.

    Normally ``folder/name``. Where a parent of it is closed to the server's user (root's home, say)
    or a server cannot cope with the path, the data goes elsewhere, which is said in one line.
    """
    place = kept.place(name) or _choose(folder, name, who, say)
    if folder not in place.parents:
        own_folder(place.parent.parent)
        own_folder(place.parent)
    kept.keep_place(name, place)
    make_folder(place, who)
    return place


def _choose(folder: Path, name: str, who: RunAs, say: Say) -> Path:
    reason = _why_not(folder, who)
    if not reason:
        return folder / name
    place = _elsewhere() / hashlib.sha256(str(folder).encode()).hexdigest()[:12] / name
    say(f"{folder} {reason}: the data of {name} goes to {place}")
    return place


def own_folder(path: Path) -> Path:
    """``path`` as a folder that we alone can change, made where it is missing.

    Its parent may be open to everybody (`/var/tmp` is): somebody else may have been there first, to
    read the books or to choose the servers' configuration. Raises ``ServerUnavailable`` then.
    """
    with suppress(FileExistsError):
        path.mkdir(mode=0o711)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode):
        reason = "is no folder"
    elif found.st_uid != os.geteuid():
        reason = f"belongs to somebody else (user {found.st_uid})"
    elif found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        reason = "can be written by others (chmod go-w)"
    else:
        return path
    raise ServerUnavailable(f"the servers' data cannot go below {path}, which {reason}")


def _why_not(folder: Path, who: RunAs) -> str:
    # RabbitMQ hands its folder to `df` through a shell, unquoted: with a space in it, its disk
    # alarm is silently off.
    if not _PLAIN.fullmatch(str(folder)):
        return "has characters in its path that RabbitMQ cannot cope with"
    if not who.can_enter(folder):
        return "is closed to the servers' user"
    return ""


def _elsewhere() -> Path:
    """Where services keep data; for an ordinary user a folder of theirs that survives a reboot."""
    if os.geteuid() == 0:
        return ELSEWHERE
    return Path(f"/var/tmp/store-of-value-{os.geteuid()}")  # noqa: S108 - own_folder looks who made it


def make_folder(path: Path, who: RunAs) -> Path:
    """A folder that only the server's user (and root) can look into."""
    path.mkdir(mode=0o700, exist_ok=True)
    who.own(path)
    return path


def write_file(path: Path, text: str, who: RunAs) -> Path:
    """A file for the server alone: it may hold password hashes."""
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    who.own(path)
    return path


def remove(folder: Path, names: tuple[str, ...], kept: Kept) -> None:
    """Delete the data of the (stopped) servers ``names``, wherever ``settle`` had put it."""
    for name in names:
        place = kept.place(name) or folder / name
        shutil.rmtree(place, ignore_errors=True)
        if folder not in place.parents:
            for parent in (place.parent, place.parent.parent):
                if parent.exists() and not any(parent.iterdir()):
                    parent.rmdir()
