"""Putting together what `./sov status` shows: the supervisor's file and the servers' answers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from cli import probes, simulated_bank
from cli.access import stored
from cli.home import Home
from cli.servers import rabbitmq, rabbitmq_conf
from cli.servers.kept import Kept
from cli.supervision import state
from cli.supervision.state import ProcessView, Snapshot
from ledger.deployment import Layout
from topology.names import command_queue

Condition = Literal["ready", "degraded", "down"]
EXIT_CODES: Mapping[Condition, int] = {"ready": 0, "degraded": 1, "down": 3}
UNKNOWN = "unknown"
Value = object


@dataclass(frozen=True, slots=True)
class Overview:
    condition: Condition
    supervisor: dict[str, Value]
    processes: list[dict[str, Value]]
    partitions: list[dict[str, Value]]
    broker: dict[str, Value]
    database: dict[str, Value]
    bank: dict[str, Value]
    url: str

    def as_json(self) -> dict[str, Value]:
        return {
            "running": self.condition != "down",
            "condition": self.condition,
            "url": self.url,
            "supervisor": self.supervisor,
            "processes": self.processes,
            "partitions": self.partitions,
            "broker": self.broker,
            "database": self.database,
            "bank": self.bank,
        }


async def look(here: Home) -> Overview:
    """Ask everybody, each within two seconds. Never raises for what does not answer."""
    snapshot = state.read(here.state_file)
    if snapshot is None or not snapshot.is_alive():
        return _nothing_asked(snapshot, "down")
    ways = stored(here.access_file)
    if ways is None:  # the first start is not that far yet
        return _nothing_asked(snapshot, "degraded")
    database = await probes.database(ways.owner)
    queues = _queues(database.layout)
    (problem, depths), alarms = await asyncio.gather(
        probes.depths(ways.administrator, list(queues.values())),
        _alarms(here.kept, rabbitmq.NAME in ways.private),
    )
    broker: dict[str, Value] = {"reachable": not problem, "alarms": alarms, "problem": problem}
    return Overview(
        condition=_condition(snapshot, database, broker),
        supervisor={"pid": snapshot.pid, "phase": snapshot.phase, "stale": snapshot.is_stale},
        processes=[_process(view) for view in snapshot.processes],
        partitions=[
            _partition(number, depths.get(queue), _reported(snapshot.processes, number))
            for number, queue in queues.items()
        ],
        broker=broker,
        database={
            "reachable": database.reachable,
            "primary": database.primary,
            "problem": database.problem,
        },
        bank=bank_of(snapshot.processes),
        url=snapshot.url,
    )


def _queues(layout: Layout | None) -> dict[int, str]:
    if layout is None:
        return {}
    return {each: command_queue(layout.number, each) for each in range(layout.partitions)}


def _nothing_asked(snapshot: Snapshot | None, condition: Condition) -> Overview:
    silent: dict[str, Value] = {"reachable": None, "problem": "not asked"}
    return Overview(
        condition=condition,
        supervisor={
            "pid": snapshot.pid if snapshot and condition != "down" else None,
            "phase": snapshot.phase if snapshot else "stopped",
        },
        processes=[],
        partitions=[],
        broker={**silent, "alarms": UNKNOWN},
        database={**silent, "primary": None},
        bank={"kind": UNKNOWN, "url": ""},
        url=snapshot.url if snapshot else "",
    )


async def _alarms(kept: Kept, private: bool) -> str:
    port = kept.port(rabbitmq.MANAGEMENT_PORT)
    if not private or port is None:
        return UNKNOWN
    user = rabbitmq_conf.ADMIN
    return await probes.alarms(port, user, kept.password(rabbitmq.user_key(user)))


def _condition(
    snapshot: Snapshot, database: probes.Database, broker: Mapping[str, Value]
) -> Condition:
    well = (
        snapshot.ready
        and not snapshot.is_stale
        and database.reachable
        and database.primary
        and broker["reachable"]
        and broker["alarms"] != "alarm"
    )
    return "ready" if well else "degraded"


def _process(view: ProcessView) -> dict[str, Value]:
    return {
        "name": view.name,
        "pid": view.pid,
        "state": view.state,
        "restarts": view.restarts,
        "reason": view.reason,
        "report": view.report,
    }


def bank_of(views: Sequence[ProcessView]) -> dict[str, Value]:
    """Whether money is real: which bank the system has, by the processes that run. ``none``, and
    ``files`` where statements are handed in, are without an API."""
    reports = {view.name: view.report for view in views}
    if simulated_bank.NAME in reports:
        return {"kind": "simulator", "url": reports[simulated_bank.NAME].get("url", "")}
    url = reports.get("bank", {}).get("bank", UNKNOWN)
    kinds = {name: name for name in (UNKNOWN, "none", "files")}
    return {"kind": kinds.get(str(url), "api"), "url": "" if url in kinds else url}


def _reported(views: Sequence[ProcessView], partition: int) -> Mapping[str, Value]:
    """What its consumer last said about the partition; the broker cannot tell commands apart."""
    for view in views:
        reported = view.report.get("partitions")
        if isinstance(reported, Mapping):
            one = reported.get(str(partition))
            if isinstance(one, Mapping):
                return {"consumer": view.name, **one}
    return {}


def _partition(
    number: int, depth: probes.Depth | None, reported: Mapping[str, Value]
) -> dict[str, Value]:
    known = depth is not None and depth.messages is not None
    return {
        "partition": number,
        "messages": depth.messages if depth and known else UNKNOWN,
        "subscribers": depth.consumers if depth and known else UNKNOWN,
        "consumer": reported.get("consumer", UNKNOWN),
        "epoch": reported.get("epoch", UNKNOWN),
        "paused": reported.get("paused", UNKNOWN),
        "waiting_commands": reported.get("waiting_commands", UNKNOWN),
        "oldest_waiting_s": reported.get("oldest_waiting_s", UNKNOWN),
    }
