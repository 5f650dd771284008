"""Children of a supervisor that was killed."""

from __future__ import annotations

from collections.abc import Callable

from cli.servers import processes
from cli.supervision.state import Snapshot

# Longer than an orphan takes to notice and end itself.
_END_THEMSELVES_S = 5.0


async def end_left_over(snapshot: Snapshot | None, say: Callable[[str], None]) -> None:
    """Wait for the children named in ``snapshot`` to end, then end those that are frozen.

    Servers are no children: they are adopted or stopped in their own way.
    """
    left = [
        view.identity
        for view in (snapshot.processes if snapshot else ())
        if view.identity is not None and not view.is_server and processes.is_alive(view.identity)
    ]
    if left:
        say("waiting for processes of an earlier supervisor to end")
        if not await processes.gone(left, _END_THEMSELVES_S):
            await processes.end(left, patience_s=0.0)
