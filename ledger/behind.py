"""Writing one piece of work while the next one is computed: our processor and the database's work
at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self

Write = Callable[[], Coroutine[Any, Any, None]]


class Behind:
    """Pieces are written one after the other; behind the block nothing is under way."""

    def __init__(self) -> None:
        self._writing: asyncio.Task[None] | None = None

    async def write(self, write: Write, *, last: bool) -> None:
        """Write this while the caller goes on; the last piece here and now. Raises what it met, or
        the piece before it."""
        await self._written()
        if last:
            await write()
            return
        self._writing = asyncio.create_task(write())
        # It begins now, before the caller changes anything that it looks at.
        await asyncio.sleep(0)

    async def turn(self) -> None:
        """Let the loop send and receive: to be called now and then by a caller that computes."""
        if self._writing is not None and not self._writing.done():
            await asyncio.sleep(0)

    async def _written(self) -> None:
        if self._writing is not None:
            writing, self._writing = self._writing, None
            await writing

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if error is None:
            await self._written()
        elif self._writing is not None:
            if isinstance(error, asyncio.CancelledError):
                self._writing.cancel()
            await self._ended(self._writing)

    async def _ended(self, writing: asyncio.Task[None]) -> None:
        """Wait for its end, whichever: it is the error of the block that counts."""
        try:
            await asyncio.wait({writing})
        except asyncio.CancelledError:
            writing.cancel()
            await asyncio.wait({writing})
            raise
        finally:
            if writing.done() and not writing.cancelled():
                writing.exception()
