"""About how long things take, for telling beforehand."""

from __future__ import annotations

from typing import Final

from bench.effort import Effort

#: Starting a system and stopping it.
START_S: Final = 4.0
#: Making an installation, auditing its books, deleting it.
INSTALL_S: Final = 6.0
#: Commands per second straight through ``ledger.execute``, and of the audit.
FILLED_PER_S: Final = 15_000
AUDITED_PER_S: Final = 15_000
#: Transfers per second over HTTP.
ANSWERED_PER_S: Final = 3_000
#: Lines per second of a file that has the system to itself.
BULK_PER_S: Final = 12_000


def point_s(effort: Effort) -> float:
    """One measurement with a start of its own, and its share of the audit afterwards."""
    load_s = effort.warm_up_s + effort.point_s
    return START_S + load_s + load_s * ANSWERED_PER_S / AUDITED_PER_S
