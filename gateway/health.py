"""Whether it is alive, whether it can work, and what it has counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from gateway.answers import OK
from gateway.call import Call
from gateway.metrics import Exposition
from gateway.operations import Access, Operation, Success
from gateway.problems import Refusal
from gateway.response import Answer
from gateway.schemas import Alive, Ready
from ledger.keys import Scope
from ledger.rejections import Code

Checks = Mapping[str, str]
"""Each thing a gateway needs, and what is wrong with it: empty where nothing is."""

_TAG = "health"


class Health:
    """The routes without ``/v1``."""

    def __init__(
        self,
        checks: Callable[[], Checks],
        exposition: Exposition,
        metrics_access: frozenset[Scope] | Access,
    ) -> None:
        self._checks, self._exposition = checks, exposition
        self._metrics_access = metrics_access

    async def alive(self, _: Call) -> Answer:
        return Answer(OK, {"status": "ok"})

    async def ready(self, _: Call) -> Answer:
        checks = self._checks()
        shown = {name: problem or "ok" for name, problem in checks.items()}
        if any(checks.values()):
            wrong = "; ".join(f"{name}: {problem}" for name, problem in checks.items() if problem)
            raise Refusal(Code.UNAVAILABLE, wrong, members={"checks": shown})
        return Answer(OK, {"status": "ready", "checks": shown})

    async def metrics(self, _: Call) -> Answer:
        body = await self._exposition.render()
        return Answer(OK, body, media_type=self._exposition.content_type)

    def operations(self) -> list[Operation]:
        return [
            Operation(
                method="GET",
                path="/healthz",
                answer=self.alive,
                access=Access.ANYBODY,
                tag=_TAG,
                summary="Alive; looks at nothing else",
                success={OK: Success("It answers", Alive)},
            ),
            Operation(
                method="GET",
                path="/readyz",
                answer=self.ready,
                access=Access.ANYBODY,
                tag=_TAG,
                summary="Able to work: broker, reply queue, database, keys, queues",
                success={OK: Success("Everything is there", Ready)},
                problems=(Code.UNAVAILABLE,),
            ),
            Operation(
                method="GET",
                path="/metrics",
                answer=self.metrics,
                access=self._metrics_access,
                tag=_TAG,
                summary="Prometheus metrics",
                success={OK: Success("The text format", media_type="text/plain")},
            ),
        ]
