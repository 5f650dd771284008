"""A supervised program with no work to do: beats, drains, or misbehaves as it is told.

Arguments: its name, the journal to write to, and how to behave. Run as a program by the tests.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from topology.vitals import Vitals, inherited_socket, watch_lifeline


async def main(name: str, journal: Path, behaviour: str) -> int:
    def write(line: str) -> None:
        with journal.open("a") as file:
            file.write(f"{name} {line}\n")

    watch_lifeline(os.environ)
    vitals = Vitals(os.environ)
    write(f"started {os.getpid()}")
    if behaviour == "crash":
        return 7
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    beating = asyncio.create_task(vitals.run(lambda: {"partitions": {"0": {"epoch": 3}}}))
    if opened := inherited_socket(os.environ):
        serving = await asyncio.start_server(_answer(os.getpid()), sock=opened)
        await serving.start_serving()
    vitals.ready()
    if behaviour == "babble":
        while not stop.is_set():
            vitals.ready()
            await asyncio.sleep(0)
    await stop.wait()
    if behaviour == "deaf":
        await asyncio.Event().wait()
    vitals.stopping()
    write("drained")
    beating.cancel()
    vitals.close()
    return 0


def _answer(pid: int):  # type: ignore[no-untyped-def]  # asyncio's callback type is long
    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"{pid}\n".encode())
        writer.close()

    return answer


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3])))
