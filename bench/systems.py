"""What is measured: the product, and the baselines that it is compared with."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Final, Protocol

import asyncpg

from bench.baselines import direct, single
from bench.filling import FILLER
from bench.installation import Installation
from cli import plans
from cli.supervision.child import Plan
from ledger.audit import audit
from ledger.sql import AUDIT
from topology.settings import Settings

#: Rules about numbers that head rows give out, which the direct baseline does without.
_OF_THE_HEADS: Final = frozenset({"outcomes_are_numbered", "heads_stand_at_the_end"})
#: Programs that payments have nothing to do with.
_BANK_SIDE: Final = frozenset({"bank", "bank.simulator", "reconciler"})
#: Transactions of more than one command. $1 text: the actor whose transactions do not count.
_BATCHED: Final = (
    "SELECT count(*) FROM chain c"
    "  JOIN outcomes o ON o.partition = c.partition AND o.number = c.first_number"
    " WHERE c.last_number > c.first_number AND o.actor <> $1"
)


class System(Protocol):
    """A way to run an installation's books."""

    @property
    def name(self) -> str: ...

    @property
    def setup(self) -> str:
        """How it is set up, for people."""

    async def prepare(self, installation: Installation) -> None:
        """What it needs in the books, once."""

    async def broken_rules(self, connection: asyncpg.Connection[Any]) -> list[str]:
        """The audit of books that it wrote; none: they hold."""

    def plans(self, installation: Installation, listening: int) -> Sequence[Plan]:
        """Its processes; ``listening`` is the socket they accept calls on."""


@dataclass(frozen=True, slots=True)
class Product:
    """As ``./sov up`` runs it on this machine, or with another number of consumers."""

    consumers: int | None = None
    reconciles: bool = False
    """With the process that compares, which only costs time where nothing is to be compared."""
    name: str = "product"

    @property
    def setup(self) -> str:
        gateways, consumers = plans.counts(os.cpu_count() or 1)
        return f"gateways: {gateways}, consumers: {self.consumers or consumers}, relays: 1"

    async def prepare(self, installation: Installation) -> None:
        return

    async def broken_rules(self, connection: asyncpg.Connection[Any]) -> list[str]:
        return [finding.rule for finding in await audit(connection) if not finding.holds]

    def plans(self, installation: Installation, listening: int) -> Sequence[Plan]:
        left_out = _BANK_SIDE - {"reconciler"} if self.reconciles else _BANK_SIDE
        usual = [
            plan for plan in _usual_plans(installation, listening) if _program(plan) not in left_out
        ]
        if self.consumers is None:
            return usual
        consumer = next(plan for plan in usual if _program(plan) == "consumer")
        others = [plan for plan in usual if _program(plan) != "consumer"]
        return others + [_in_slot(consumer, n, self.consumers) for n in range(self.consumers)]


@dataclass(frozen=True, slots=True)
class Single:
    """The product with one command per message, and one message per transaction."""

    consumers: int = 1
    name: str = "single"

    @property
    def setup(self) -> str:
        return Product(self.consumers).setup

    async def prepare(self, installation: Installation) -> None:
        return

    async def broken_rules(self, connection: asyncpg.Connection[Any]) -> list[str]:
        """Also that it is what it is called: no link of the chain covers several outcomes."""
        batched = await connection.fetchval(_BATCHED, FILLER)
        return await Product().broken_rules(connection) + (["one-per-message"] if batched else [])

    def plans(self, installation: Installation, listening: int) -> Sequence[Plan]:
        return [
            replace(plan, arguments=_entry(single.__name__, _program(plan)))
            for plan in Product(self.consumers).plans(installation, listening)
        ]


@dataclass(frozen=True, slots=True)
class Direct:
    """The product's gateway, with one PostgreSQL call per request instead of the queue."""

    workers: int = 1
    connections: int = 16
    """To PostgreSQL, of all workers together."""
    name: str = "direct"

    @property
    def setup(self) -> str:
        return f"gateways: {self.workers}, connections: {self.connections}"

    async def prepare(self, installation: Installation) -> None:
        await direct.prepare(installation.access.owner)

    async def broken_rules(self, connection: asyncpg.Connection[Any]) -> list[str]:
        """Every rule that does not need head rows."""
        rules = [f.name for f in fields(AUDIT) if f.name not in _OF_THE_HEADS]
        return [r for r in rules if await connection.fetch(getattr(AUDIT, r), 1)]

    def plans(self, installation: Installation, listening: int) -> Sequence[Plan]:
        gateway = next(
            plan for plan in _usual_plans(installation, listening) if _program(plan) == "gateway"
        )
        environment = {
            **gateway.environment,
            **installation.access.for_consumer(),
            direct.CONNECTIONS: str(self.connections // self.workers),
        }
        return [
            replace(
                gateway,
                name=f"direct-{number}",
                arguments=_entry(direct.__name__),
                environment=environment,
                log=installation.home.log(f"direct-{number}"),
            )
            for number in range(self.workers)
        ]


def _usual_plans(installation: Installation, listening: int) -> Sequence[Plan]:
    return plans.for_machine(installation.home, Settings(), installation.access, listening)


def _program(plan: Plan) -> str:
    return plan.arguments[-1]


def _entry(module: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", module, *arguments)


def _in_slot(plan: Plan, slot: int, slots: int) -> Plan:
    environment: Mapping[str, str] = {
        **plan.environment,
        "SOV_CONSUMER_SLOT": str(slot),
        "SOV_CONSUMER_SLOTS": str(slots),
    }
    name = f"consumer-{slot}"
    log = plan.log.with_name(f"{name}.log")
    return replace(plan, name=name, environment=environment, log=log)
