"""Ends throw-away servers and deletes their folder once whoever holds our input is gone.

A separate process, so that a killed test session leaves nothing behind either.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
import sys
from pathlib import Path

from cli.servers import places, processes, provide
from cli.servers.kept import Kept


async def reap(folder: Path) -> None:
    """Without any drain: nobody will read this data again."""
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


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.stdin.read()
    asyncio.run(reap(Path(sys.argv[1])))
