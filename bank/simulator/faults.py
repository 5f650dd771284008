"""What goes wrong at the bank, on demand: the next calls of a route fail as they are told."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

Route = Literal[
    "any", "token", "accounts", "balance", "transactions", "beneficiaries", "payments", "documents"
]
Kind = Literal[
    "status", "delay", "cut", "status-after", "delay-after", "cut-after", "garbage-after"
]
_AFTER: Final = "-after"


class Fault(msgspec.Struct, rename="camel", kw_only=True, forbid_unknown_fields=True):
    """For so many calls. ``after``: when everything was done, so that only the answer is lost."""

    kind: Kind
    route: Route = "any"
    status: Annotated[int, msgspec.Meta(ge=400, le=599)] = 500
    seconds: Annotated[float, msgspec.Meta(ge=0, le=3600)] = 0.0
    """Of a delay, and before anything else."""
    retry_after_s: Annotated[int, msgspec.Meta(ge=0)] | None = None
    """What a status says of when to come again; nothing, as far as anybody knows."""
    times: Annotated[int, msgspec.Meta(ge=1)] = 1

    @property
    def is_after(self) -> bool:
        return self.kind.endswith(_AFTER)

    @property
    def what(self) -> str:
        """Which of ``status``, ``delay``, ``cut`` and ``garbage``."""
        return self.kind.removesuffix(_AFTER)


class Faults:
    """In the order in which they were asked for. A restart forgets them."""

    def __init__(self) -> None:
        self._coming: list[Fault] = []

    @property
    def coming(self) -> list[Fault]:
        return list(self._coming)

    def add(self, fault: Fault) -> None:
        self._coming.append(fault)

    def clear(self) -> None:
        self._coming.clear()

    def next(self, route: Route, *, after: bool) -> Fault | None:
        """Counts it as met."""
        for fault in self._coming:
            if fault.route in ("any", route) and fault.is_after is after:
                fault.times -= 1
                if fault.times == 0:
                    self._coming.remove(fault)
                return fault
        return None
