"""Private servers in a temporary folder, for tests and for the benchmark: gone with whoever asked.

A process of its own ends them and deletes the folder once the asker is gone, however that came:
``python -m cli.servers.throwaway FOLDER`` waits for the end of its input.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from cli.home import compose_file, path_for_children
from cli.servers import places, processes, provide
from cli.servers.kept import Kept
from cli.servers.places import Say


@asynccontextmanager
async def throwaway(prefix: str, say: Say) -> AsyncIterator[tuple[Path, Kept]]:
    """PostgreSQL and RabbitMQ, running, for the time of the block; answers their folder.

    Raises ``ServerUnavailable``.
    """
    folder = await asyncio.to_thread(temporary_folder, prefix)
    reaper = _start_reaper(folder)
    servers: list[provide.Server] = []
    try:
        kept = Kept(folder)
        servers += await provide.provide(folder, kept, say, compose_file=compose_file())
        async with asyncio.TaskGroup() as group:
            for server in servers:
                group.create_task(server.start())
        yield folder, kept
    finally:
        reaper.communicate()  # the end of its input is its order to clean up
        for server in servers:
            server.alive()  # takes note of its end


def temporary_folder(prefix: str) -> Path:
    """An empty folder that the servers' users may enter."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    folder.chmod(0o711)
    return folder


async def reap(folder: Path) -> None:
    """End the folder's servers without any drain: nobody will read this data again."""
    kept = Kept(folder)
    of_servers = [
        process
        for name in provide.BOTH
        if (place := kept.place(name)) is not None
        for process in processes.carrying(place)
    ]
    for process in of_servers:
        processes.send(process, signal.SIGQUIT)  # PostgreSQL removes its shared memory on this one
    await processes.gone(of_servers, 2.0)
    await processes.end(of_servers, patience_s=0.0)
    places.remove(folder, provide.BOTH, kept)
    shutil.rmtree(folder, ignore_errors=True)


def _start_reaper(folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "cli.servers.throwaway", str(folder)],
        stdin=subprocess.PIPE,
        start_new_session=True,
        env={**os.environ, **path_for_children(os.environ)},
    )


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()
    asyncio.run(reap(Path(sys.argv[1])))
