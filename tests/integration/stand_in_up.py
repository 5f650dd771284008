"""`./sov` with stand-ins for the gateway, the consumer and the relay; everything else is real."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cli import detached, plans, provision
from cli.__main__ import main
from cli.access import Access
from cli.env import KEYS
from cli.home import Home, path_for_children
from cli.provision import Provisioning
from cli.servers.kept import write_json
from cli.simulated_bank import SimulatedBank
from cli.supervision.child import Plan
from topology.settings import Settings
from topology.vitals import LISTEN

STAGES = {"gateway": 1, "relay": 2, "consumer": 3}


def stand_ins(
    here: Home,
    settings: Settings,
    ways: Access,
    listening: int,
    simulated: SimulatedBank | None = None,
) -> list[Plan]:
    del settings, ways, simulated
    journal = here.folder / "journal"
    shared = {**os.environ, **path_for_children(os.environ)}
    return [
        Plan(
            name,
            (sys.executable, "-m", "tests.integration.stand_in_child", name, str(journal), "well"),
            {**shared, LISTEN: str(listening)} if name == "gateway" else shared,
            here.log(name),
            stage,
            (listening,) if name == "gateway" else (),
        )
        for name, stage in STAGES.items()
    ]


async def stand_in_provision(needs: Provisioning) -> None:
    write_json(Path(needs.keys_file), {name: f"key of {name}" for name in KEYS}, secret=True)


if __name__ == "__main__":
    detached.PROGRAM = (sys.executable, "-m", "tests.integration.stand_in_up")
    plans.for_machine = stand_ins
    provision.provision = stand_in_provision
    main(prog_name="sov")
