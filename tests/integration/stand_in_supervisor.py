"""A supervisor in a process of its own, to be killed: two stand-in children, one of them deaf."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.home import path_for_children
from cli.servers.places import Say
from cli.servers.provide import Server
from cli.supervision.child import Plan
from cli.supervision.supervisor import Supervisor, Surroundings


async def main(folder: Path) -> None:
    async def no_servers(_: Say) -> Sequence[Server]:
        return ()

    async def children() -> Sequence[Plan]:
        program = (sys.executable, "-m", "tests.integration.stand_in_child")
        environment = {**os.environ, **path_for_children(os.environ)}
        return [
            Plan(
                behaviour,
                (*program, behaviour, str(folder / "journal"), behaviour),
                environment,
                folder / f"{behaviour}.log",
                1,
            )
            for behaviour in ("well", "deaf")
        ]

    around = Surroundings(folder / "state.json", "http://nowhere")
    await Supervisor(no_servers, children, around, print).run(asyncio.Event())


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
