"""Which processes a machine of this size runs, and with what environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from cli.access import Access, at_the_bank, without_urls
from cli.home import Home, path_for_children
from cli.simulated_bank import NAME, SimulatedBank
from cli.supervision.child import METRICS, Plan
from topology.settings import Settings
from topology.vitals import LISTEN

# The order of stopping: no new calls, then no new events, then what is queued is finished.
GATEWAYS_STAGE, RELAY_STAGE, CONSUMERS_STAGE = 1, 2, 3
# Before the consumers, so that what it has sent is still decided.
BULK_STAGE = RELAY_STAGE
# A bank is there as long as anybody may ask it.
SIMULATOR_STAGE = CONSUMERS_STAGE
_MOST = 8


def counts(cores: int) -> tuple[int, int]:
    """Gateways and consumers. A consumer's lane is one core at most and shares it with its database
    backend; a gateway's parsing costs about twice a consumer's share."""
    return max(1, min(_MOST, cores // 2)), max(1, min(_MOST, cores // 4))


def for_machine(
    here: Home,
    settings: Settings,
    ways: Access,
    listening: int,
    simulated: SimulatedBank | None = None,
) -> list[Plan]:
    """All processes but servers. ``listening`` is the socket that all gateways accept on;
    ``simulated`` the bank where it is no other."""
    gateways, consumers = counts(os.cpu_count() or 1)
    shared = {
        **without_urls(os.environ),
        **path_for_children(os.environ),
        METRICS: str(_empty(here.metrics_folder)),
    }
    plans = [
        _plan(
            here,
            ("gateway", index, gateways),
            {
                **shared,
                **ways.for_gateway(),
                LISTEN: str(listening),
                "SOV_GATEWAYS": str(gateways),
            },
            GATEWAYS_STAGE,
            (listening,),
        )
        for index in range(gateways)
    ]
    plans += [
        _plan(
            here,
            ("consumer", index, consumers),
            {
                **shared,
                **ways.for_consumer(),
                "SOV_CONSUMER_SLOT": str(index),
                "SOV_CONSUMER_SLOTS": str(consumers),
            },
            CONSUMERS_STAGE,
        )
        for index in range(consumers)
    ]
    plans.append(_plan(here, ("bulk", 0, 1), {**shared, **ways.for_bulk()}, BULK_STAGE))
    bank = {**ways.for_bank(), **(simulated.for_bank() if simulated else at_the_bank(os.environ))}
    plans.append(_plan(here, ("bank", 0, 1), {**shared, **bank}, BULK_STAGE))
    comparing = {**shared, **ways.for_bank()}
    plans.append(_plan(here, ("reconciler", 0, 1), comparing, BULK_STAGE))
    plans.append(_plan(here, ("relay", 0, 1), {**shared, **ways.for_consumer()}, RELAY_STAGE))
    if simulated is not None:
        plans.append(_simulator(here, simulated, shared))
    return with_metrics_ports(plans, settings.metrics_port)


def with_metrics_ports(plans: Sequence[Plan], first: int | None) -> list[Plan]:
    """Each process its own port from ``SOV_METRICS_PORT`` on: they share one machine."""
    if first is None:
        return list(plans)
    return [
        replace(plan, environment={**plan.environment, "SOV_METRICS_PORT": str(first + index)})
        for index, plan in enumerate(plans)
    ]


def _plan(
    here: Home,
    which: tuple[str, int, int],
    environment: Mapping[str, str],
    stage: int,
    inherits: tuple[int, ...] = (),
) -> Plan:
    program, index, count = which
    name = program if count == 1 else f"{program}-{index}"
    arguments = (sys.executable, "-m", "cli", "run", program)
    return Plan(name, arguments, environment, here.log(name), stage, inherits)


def _simulator(here: Home, bank: SimulatedBank, shared: Mapping[str, str]) -> Plan:
    environment = {**shared, **bank.for_itself()}
    descriptors = () if bank.descriptor is None else (bank.descriptor,)
    if bank.descriptor is not None:
        environment[LISTEN] = str(bank.descriptor)
    arguments = (sys.executable, "-m", "bank.simulator")
    return Plan(NAME, arguments, environment, here.log(NAME), SIMULATOR_STAGE, descriptors)


def _empty(folder: Path) -> Path:
    """The folder without what processes of an earlier start counted."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
