"""Waiting in tests: for something to become true, never for time to pass."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

Answer = TypeVar("Answer")


async def until(ask: Callable[[], Answer], within_s: float = 15.0) -> Answer:
    """The first true answer of ``ask``; fails with the last one after ``within_s``."""
    deadline = time.monotonic() + within_s
    while not (answer := ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {within_s} s"
        await asyncio.sleep(0.02)
    return answer


async def eventually(ask: Callable[[], Awaitable[Answer]], within_s: float = 15.0) -> Answer:
    """The same for a question that has to be awaited."""
    deadline = time.monotonic() + within_s
    while not (answer := await ask()):
        assert time.monotonic() < deadline, f"still {answer!r} after {within_s} s"
        await asyncio.sleep(0.02)
    return answer
