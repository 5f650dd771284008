"""Installing missing servers with apt, without anything being started or set up beside ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from cli.servers import processes
from cli.servers.failures import ServerUnavailable
from cli.servers.places import Say

POLICY = Path("/usr/sbin/policy-rc.d")
CLUSTER_CHOICE = Path("/etc/postgresql-common/createcluster.d/store-of-value.conf")
SIGNATURE = "# written by store-of-value while it installs packages; safe to delete"
# No service is started, and no cluster of the machine's own is made.
GUARDS = {
    POLICY: f"#!/bin/sh\n{SIGNATURE}\nexit 101\n",
    CLUSTER_CHOICE: f"{SIGNATURE}\ncreate_main_cluster = false\n",
}
# Debian enables what it installs: unstarted today, these would take the standard ports at the next
# boot. Only units of packages that we ourselves brought are ever disabled.
UNITS = {
    "postgresql": ("postgresql.service",),
    "rabbitmq-server": ("rabbitmq-server.service", "epmd.service", "epmd.socket"),
}
# While one of these is at work, a guard is not left over but needed.
_INSTALLERS = ("apt-get", "dpkg")
_INSTALL_LIMIT_S = 900.0


async def how_to_be_root() -> tuple[str, ...] | None:
    """The command prefix that gives root's rights without asking anybody, or None."""
    if os.geteuid() == 0:
        return ()
    if shutil.which("sudo") and (await _run(("sudo", "-n", "true")))[0] == 0:
        return ("sudo", "-n")
    return None


async def with_apt(packages: Sequence[str], say: Say) -> None:
    """Install ``packages``; raises ``ServerUnavailable`` with apt's own last words."""
    prefix = await how_to_be_root()
    if shutil.which("apt-get") is None:
        raise ServerUnavailable("there is no apt-get on this machine")
    if prefix is None:
        raise ServerUnavailable("apt-get needs root, and `sudo -n` would have to ask")
    say(f"installing {' and '.join(packages)} with apt-get, without starting any service")
    async with AsyncExitStack() as guards:
        for path, text in GUARDS.items():
            await guards.enter_async_context(guard(prefix, path, text))
        code, output = await _apt_install(prefix, packages)
        if code != 0:
            say("refreshing apt's package lists")
            await _run((*prefix, "apt-get", "update", "-q"))
            code, output = await _apt_install(prefix, packages)
    if code != 0:
        raise ServerUnavailable(f"apt-get install failed: {_last_lines(output)}")
    if shutil.which("systemctl"):
        units = [unit for package in packages for unit in UNITS.get(package, ())]
        await _run((*prefix, "systemctl", "disable", "--quiet", *units))


async def _apt_install(prefix: tuple[str, ...], packages: Sequence[str]) -> tuple[int, str]:
    return await _run(
        (
            *prefix,
            *("env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C.UTF-8"),
            *("apt-get", "install", "-y", "-q", "--no-install-recommends"),
            *("-o", "DPkg::Lock::Timeout=120"),  # another apt may be at work: wait for it
            *packages,
        )
    )


@asynccontextmanager
async def guard(prefix: tuple[str, ...], path: Path, text: str) -> AsyncIterator[None]:
    """``path`` with ``text`` for the time of the block; somebody else's file is left as it is."""
    if _is_foreign(path):
        yield
        return
    with tempfile.NamedTemporaryFile("w", suffix=".store-of-value") as source:
        source.write(text)
        source.flush()
        await _run((*prefix, "install", "-D", "-m", "0755", source.name, str(path)))
    try:
        yield
    finally:
        await _run((*prefix, "rm", "-f", str(path)))


async def remove_left_over_guards(
    say: Say, paths: Collection[Path] = tuple(GUARDS), at_work: Collection[str] = _INSTALLERS
) -> None:
    """Remove guards whose `up` was killed: with them the machine would never start a service again.

    Somebody else's files stay, and so do all while a program named in ``at_work`` runs: an
    installation that outlived its `up` still needs them.
    """
    left = [path for path in paths if path.exists() and not _is_foreign(path)]
    if not left or processes.named(at_work):
        return
    names = " and ".join(map(str, left))
    prefix = await how_to_be_root()
    if prefix is None:
        say(f"{names} is left from an installation that was killed: delete it as root")
        return
    say(f"removing {names}, left from an installation that was killed")
    await _run((*prefix, "rm", "-f", *map(str, left)))


def _is_foreign(path: Path) -> bool:
    return path.exists() and SIGNATURE not in path.read_text(errors="replace")


async def _run(arguments: tuple[str, ...]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    talking = asyncio.ensure_future(process.communicate())
    try:
        output, _ = await asyncio.wait_for(asyncio.shield(talking), _INSTALL_LIMIT_S)
    except asyncio.CancelledError:
        # Told to stop meanwhile: half a package is worse than a late stop, and what guards against
        # started services has to stay until apt is done.
        await talking
        raise
    except TimeoutError:
        process.kill()
        await process.wait()
        return 124, f"{' '.join(arguments)}: no end after {_INSTALL_LIMIT_S:.0f} s"
    return process.returncode or 0, output.decode(errors="replace")


def _last_lines(output: str, count: int = 3) -> str:
    return " / ".join(output.strip().splitlines()[-count:])
