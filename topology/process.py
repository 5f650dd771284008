"""How every process of the system lives: start, beat, serve until told to stop, drain."""

from __future__ import annotations

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping
from typing import Any, Final, Protocol

from topology.vitals import Vitals

#: Longer than a connection takes to close, which is what a task does at its end.
_CANCEL_AGAIN_S: Final = 4.0


#: Container objects between two looks for garbage: a call makes some hundred that are gone when it
#: ends, and with the default of 700 a tenth of the time went into finding nothing.
_GARBAGE_THRESHOLDS: Final = (50_000, 20, 50)


class Program(Protocol):
    """What a process does once it has started."""

    @property
    def ready(self) -> bool:
        """Whether it does its work by now."""

    def report(self) -> Mapping[str, object]:
        """What ``./sov status`` shows of it; called once a second."""

    async def run(self) -> None:
        """Work until ``stop``; an exception ends the process."""

    def stop(self) -> None:
        """Finish what is at hand, so that ``run`` returns soon."""


async def live(start: Callable[[], Awaitable[Program]], vitals: Vitals) -> None:
    """Start the program and run it until SIGTERM or SIGINT; returns when it has drained.

    ``start`` may wait for servers as long as it takes: the process beats meanwhile. Raises what the
    program raises.
    """
    life = _Life(vitals)
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    stopping = asyncio.create_task(stopped.wait())
    beating = asyncio.create_task(vitals.run(life.report))
    starting = asyncio.ensure_future(start())
    try:
        if not await _finished(starting, stopping, beating):
            return
        life.program = program = starting.result()
        running = asyncio.create_task(program.run())
        if not await _finished(running, stopping, beating):
            vitals.stopping()
            program.stop()
        await running
    finally:
        for task in (starting, stopping, beating):
            task.cancel()
        vitals.close()


def look_for_garbage_rarely() -> None:
    """For a process that has just been put together, and is busy from now on."""
    gc.freeze()  # modules, schemas and routes stay: no need to look at them again
    gc.set_threshold(*_GARBAGE_THRESHOLDS)


async def run_all(*parts: Coroutine[Any, Any, None]) -> None:
    """Run parts that never end until cancelled, or until one raises; then ``end`` the others. A
    task group cancels once only."""
    tasks = [asyncio.ensure_future(part) for part in parts]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        await end(tasks)


async def end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel the tasks until all are done; takes no note of what they raise.

    Once may not be enough: Python 3.11's ``wait_for``, which the broker's library uses, can lose a
    cancellation that comes in the same moment as the answer.
    """
    pending = set(tasks)
    interrupted: asyncio.CancelledError | None = None
    while pending:
        for task in pending:
            task.cancel()
        try:
            _, pending = await asyncio.wait(pending, timeout=_CANCEL_AGAIN_S)
        except asyncio.CancelledError as error:  # passed on, for nobody may be left behind
            interrupted = error
            pending = {task for task in pending if not task.done()}
    if interrupted is not None:
        raise interrupted


class _Life:
    """Reports for the program, and says once that it is ready."""

    def __init__(self, vitals: Vitals) -> None:
        self.program: Program | None = None
        self._vitals = vitals
        self._announced = False

    def report(self) -> Mapping[str, object]:
        if self.program is None:
            return {"ready": False}
        if self.program.ready and not self._announced:
            self._announced = True
            self._vitals.ready()
        return {"ready": self.program.ready, **self.program.report()}


async def _finished(
    work: asyncio.Future[Program] | asyncio.Task[None],
    stopping: asyncio.Task[bool],
    beating: asyncio.Task[None],
) -> bool:
    """Wait for the work; False where the process was told to stop first."""
    await asyncio.wait({work, stopping, beating}, return_when=asyncio.FIRST_COMPLETED)
    if beating.done():
        beating.result()
    return work.done()
