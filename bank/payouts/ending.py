"""What is not broken off in the middle where the process is told to stop."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from topology.process import end

#: Of the ten seconds that a process has to drain.
_AT_MOST_S: Final = 8.0

Found = TypeVar("Found")


async def to_its_end(work: Coroutine[Any, Any, Found], at_most_s: float = _AT_MOST_S) -> Found:
    """Do the work. A caller that is cancelled meanwhile, however often, waits for its end, for so
    many seconds at most, before it passes that on; the work itself is cancelled only then."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    cancelled: asyncio.CancelledError | None = None
    until_s = math.inf
    while not task.done() and loop.time() < until_s:
        left_s = None if cancelled is None else until_s - loop.time()
        try:
            await asyncio.wait({task}, timeout=left_s)
        except asyncio.CancelledError as error:
            if cancelled is None:
                cancelled, until_s = error, loop.time() + at_most_s
    if cancelled is None:
        return task.result()
    await end([task])
    if not task.cancelled():
        task.exception()  # the caller is ended, whatever came of it
    raise cancelled
