"""How long things may take, where two processes have to agree on it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

#: The broker confirms in milliseconds; two seconds without a word is a lost channel.
CONFIRM_TIMEOUT_S: Final = 2.0

#: Producers look every second at which partitions take commands, and send nothing once they have
#: not heard from the database for this long: then nobody acts on what the books said before.
INTAKE_LOOK_EVERY_S: Final = 1.0
CLOCK_STALE_S: Final = 30.0

#: How long a caller waits when it does not say (``Prefer: wait``), and the bounds of what it may
#: say.
WAIT_DEFAULT_S: Final = 5.0
WAIT_MIN_S: Final = 0.1
WAIT_MAX_S: Final = 30.0

#: A waited-for command is refused this much before its caller stops waiting, so that the caller
#: hears the refusal; half the wait where that is shorter.
_MARGIN_S: Final = 0.5

#: A command that nobody waits for has this long, unless it says otherwise.
ASYNC_DEADLINE: Final = timedelta(hours=24)
#: And may not say more than this: partitions of an old layout tick on until their longest deadline
#: has passed.
LONGEST_DEADLINE: Final = timedelta(days=30)

#: Nor anything before this: command ids count milliseconds from 1970 on, and what is older than the
#: product is a mistake.
EARLIEST_DEADLINE: Final = datetime(2000, 1, 1, tzinfo=UTC)

#: Owners tick their partitions every second: so long after a deadline its word is final.
FINAL_AFTER: Final = timedelta(seconds=2)


def deadline_after_s(wait_s: float) -> float:
    """How long after its issue a command of a caller that waits ``wait_s`` may be applied."""
    return wait_s - min(_MARGIN_S, wait_s / 2)
