"""When consumers meet on the same wallets: turns, instead of waiting with a batch in hand.

A batch that waits for a wallet is old and small by the time it gets it: what arrived meanwhile is
left for the next one, and two processes make transactions of half the size, one after the other all
the same. So a process that had to wait takes turns with the others for a while: it waits first, and
gathers its batch when nobody is in its way. Whoever shares no wallet never waits, and takes none.
"""

from __future__ import annotations

from typing import Final

#: Locks that nobody else holds do not take so long, even on a busy machine: those of a batch, and
#: each of its rows.
_UNDISTURBED_S: Final = 0.004
_PER_ROW_S: Final = 0.000_02
#: Then one batch goes without, and finds out whether they are needed still.
_TURNS: Final = 100


class Turns:
    """Of one process: whether its next batch should wait for its turn."""

    def __init__(self) -> None:
        self._left = 0

    def heed(self, elapsed_s: float, rows: int) -> None:
        """A batch got its locks in so many seconds, of so many rows."""
        if elapsed_s > _UNDISTURBED_S + rows * _PER_ROW_S:
            self._left = _TURNS

    def give_up(self) -> None:
        """Somebody keeps the turn: whoever needs none of its wallets goes on without."""
        self._left = 0

    def wanted(self) -> bool:
        """Whether the next batch takes one; each question counts."""
        self._left = max(0, self._left - 1)
        return self._left > 0
