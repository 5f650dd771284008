"""Programs that are not Python: found, installed with apt where that may be done, and run."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from pathlib import Path

from cli.servers import binaries, install
from cli.servers.failures import ServerUnavailable
from cli.servers.places import Say

_PACKAGES = {"wrk": ("wrk",), "gcc": ("gcc", "libc6-dev")}
_SOURCE = Path(__file__).with_name("open_loop.c")
#: A program that is told to run for a time has ended this long after it, or never will.
_MARGIN_S = 60.0


class Missing(Exception):
    """A program that the benchmark cannot do without; the text says how to get it."""


class Failed(Exception):
    """A program ended badly; the text has its last words."""


async def require(say: Say) -> None:
    """See that the load generators can be had. Raises ``Missing``."""
    missing = [name for name in _PACKAGES if shutil.which(name) is None]
    if not missing:
        return
    packages = [package for name in missing for package in _PACKAGES[name]]
    try:
        await install.with_apt(packages, say)
    except ServerUnavailable as problem:
        raise Missing(
            f"the benchmark's load comes from wrk, and from a C program that it compiles:"
            f" {' and '.join(missing)} cannot be found here ({problem}).\n"
            f"Debian, Ubuntu: apt-get install {' '.join(packages)}"
        ) from None


async def compile_open_loop(folder: Path) -> Path:
    """The open loop's generator as a program in ``folder``. Raises ``Failed``."""
    program = folder / "open_loop"
    await run(30, "gcc", "-O2", "-o", str(program), str(_SOURCE))
    return program


def pgbench() -> Path | None:
    """Beside the server's own programs, or on PATH; it comes with some packages of PostgreSQL."""
    found = binaries.find_postgres()
    beside = found.postgres.with_name("pgbench") if found else None
    if beside is not None and beside.is_file():
        return beside
    on_path = shutil.which("pgbench")
    return Path(on_path) if on_path else None


async def run(limit_s: float, *arguments: str, environment: dict[str, str] | None = None) -> str:
    """What the program prints. It is killed where we are cancelled. Raises ``Failed``."""
    process = await asyncio.create_subprocess_exec(
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,  # a Ctrl-C reaches us alone, and we end it below
    )
    try:
        async with asyncio.timeout(limit_s + _MARGIN_S):
            output, _ = await process.communicate()
    except TimeoutError:
        raise Failed(f"{arguments[0]} did not end after {limit_s + _MARGIN_S:.0f} s") from None
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    text = output.decode(errors="replace")
    if process.returncode != 0:
        raise Failed(f"{Path(arguments[0]).name} ended with {process.returncode}: {text[-600:]}")
    return text
