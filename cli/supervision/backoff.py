"""How long to wait before something is started again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Backoff:
    """The first time well inside a second, then twice as long each time up to ``longest_s``.

    Starts over once something stayed up for ``steady_s``: who kills a healthy process every ten
    seconds meets a quick restart each time, and who crashes at once can do so twice a minute.
    """

    first_s: float = 0.2
    longest_s: float = 30.0
    steady_s: float = 5.0
    _next_s: float = 0.0

    def after(self, up_s: float) -> float:
        """The wait in seconds after something ended that had been up for ``up_s``."""
        if up_s >= self.steady_s or self._next_s == 0.0:
            self._next_s = self.first_s
        wait_s = self._next_s
        self._next_s = min(self.longest_s, wait_s * 2)
        return wait_s
