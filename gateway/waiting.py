"""How a write is waited for, and how long that leaves for everything before it is sent."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from topology.deadlines import WAIT_DEFAULT_S, deadline_after_s


class Waiting(NamedTuple):
    """What the caller prefers."""

    respond_async: bool = False
    wait_s: float = WAIT_DEFAULT_S
    """Counted from the call's beginning, whatever has to be looked up before its command can be
    sent: the caller's own watch runs from there."""
    applied: bytes | None = None
    """What was asked for and is done, for ``Preference-Applied``."""

    @property
    def send_within_s(self) -> float:
        """How long after the call's beginning its command can still be applied in time."""
        return math.inf if self.respond_async else deadline_after_s(self.wait_s)


DEFAULT: Final = Waiting()
