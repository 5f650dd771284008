"""Ending tasks that do not take the first cancellation."""

from __future__ import annotations

import asyncio

from topology.process import end


async def test_a_task_that_loses_a_cancellation_ends_all_the_same() -> None:
    """As Python 3.11's ``wait_for`` does when the answer comes in the same moment."""
    rounds = 0

    async def look_after_something() -> None:
        nonlocal rounds
        while True:
            rounds += 1
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if rounds > 1:
                    raise

    task = asyncio.ensure_future(look_after_something())
    await asyncio.sleep(0)
    async with asyncio.timeout(10):
        await end([task])
    assert task.cancelled()
    assert rounds == 2
