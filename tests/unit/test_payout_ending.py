"""Work that is not broken off by whoever waits for it."""

from __future__ import annotations

import asyncio

import pytest

from bank.payouts.ending import to_its_end


async def test_work_ends_before_whoever_was_told_to_stop() -> None:
    may_end, ended = asyncio.Event(), asyncio.Event()

    async def work() -> int:
        await may_end.wait()
        ended.set()
        return 7

    waiting = asyncio.ensure_future(to_its_end(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    may_end.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_work_that_does_not_end_is_ended() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    waiting = asyncio.ensure_future(to_its_end(work(), at_most_s=0.01))
    await begun.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended.is_set()


async def test_otherwise_it_is_as_if_it_had_been_awaited() -> None:
    async def work() -> int:
        return 7

    async def fail() -> None:
        raise LookupError

    assert await to_its_end(work()) == 7
    with pytest.raises(LookupError):
        await to_its_end(fail())
