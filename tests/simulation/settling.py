"""Finding out, as a caller can, what became of calls that had no final answer."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tests.simulation.calls import Caller, Patience
from tests.simulation.history import Heard, Kind, Operation, Settled

_EVERY_S: Final = 0.5
#: After the wait that was asked for: by then the call's deadline is past and its word final.
_AFTER_WAIT_S: Final = 2.5
#: Of the service being there: what a queue held is decided by then.
_DRAINED_AFTER_S: Final = 15.0
_PENDING: Final = "PENDING"
_RETRY: Final = Patience.of(5.0)
_DUPLICATES: Final = frozenset(
    {"duplicate-transfer", "duplicate-group", "duplicate-reservation", "duplicate-wallet"}
)


class Settler:
    """Asks by command id where there is one, then repeats the call with its key; each key once at a
    time. A repetition without an answer is unknown itself, and settled together with the first."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._tasks: set[asyncio.Task[None]] = set()
        self._unsettled: dict[str, list[Operation]] = defaultdict(list)
        self._pending: dict[asyncio.Task[None] | None, Operation] = {}
        self.settled_after_s: list[float] = []
        """From each unknown answer to its truth."""

    def settle(self, operation: Operation) -> None:
        """Begin to find out; ``finish`` waits for it."""
        self._start(self._by_command(operation))
        if operation.key is not None:
            is_first = operation.key not in self._unsettled
            self._unsettled[operation.key].append(operation)
            if is_first:
                self._start(self._by_key(operation, operation.key))

    async def finish(
        self,
        within_s: float,
        unconfirmed: Callable[[Operation], bool],
        drained_after_s: float = _DRAINED_AFTER_S,
    ) -> int:
        """Wait for what is not settled yet; answers how many it gave up.

        To be called when nobody calls any more. A command that the broker may not have confirmed
        (``unconfirmed`` tells), and that has a day's time, may be pending for that day: once its
        queue has long been empty, that is the answer, and the books must show nothing of it.
        """
        begun_s = time.monotonic()
        while self._tasks and time.monotonic() < begun_s + within_s:
            await asyncio.wait(self._tasks, timeout=_EVERY_S)
            if self._tasks == set(self._pending) and time.monotonic() > begun_s + drained_after_s:
                break
        left = set(self._tasks)
        never_settled = len(left)
        for operation in (self._pending[task] for task in left & set(self._pending)):
            if unconfirmed(operation):
                operation.by_command = Settled(False, _PENDING, time.monotonic())
                never_settled -= 1
        for task in left:
            task.cancel()
        if left:
            await asyncio.wait(left)
        return never_settled

    async def ask_again(self, operations: Iterable[Operation]) -> None:
        """Ask for the outcome of calls that had their answer: it must be the same one."""
        for operation in operations:
            await self._by_command(operation)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _by_command(self, operation: Operation) -> None:
        if operation.command_id is None:
            return
        while True:
            status, body = await self._caller.ask(f"/v1/commands/{operation.command_id}")
            word = str(body.get("status"))
            if status == 200 and word != _PENDING:
                outcome = body["outcome"]
                operation.by_command = Settled(
                    word == "APPLIED",
                    word,
                    time.monotonic(),
                    outcome["httpStatus"],
                    outcome["body"],
                )
                self._pending.pop(asyncio.current_task(), None)
                self._count(operation)
                return
            if status == 200 and operation.wait_s is None and operation.deadline_s is None:
                self._pending[asyncio.current_task()] = operation
            if status == 404:
                operation.by_command = Settled(False, "command-not-found", time.monotonic(), 404)
                return
            await asyncio.sleep(_EVERY_S)

    async def _by_key(self, first: Operation, key: str) -> None:
        final_s = first.invoked_s + (first.wait_s or 0.0) + _AFTER_WAIT_S
        await asyncio.sleep(max(0.0, final_s - time.monotonic()))
        while self._unsettled[key]:
            settled = await self._look(first, key) or await self._repeat(first, key)
            if settled is not None:
                self._share(settled, key)
            await asyncio.sleep(_EVERY_S)
        del self._unsettled[key]

    def _share(self, settled: Settled, key: str) -> None:
        """A used key tells of all calls with it; a free one only of those before the asking."""
        waiting, self._unsettled[key] = self._unsettled[key], []
        for operation in waiting:
            if settled.applied or operation.ended_s < settled.monotonic_s:
                operation.by_key = settled
                self._count(operation)
            else:
                self._unsettled[key].append(operation)

    async def _look(self, first: Operation, key: str) -> Settled | None:
        """A key that is found is used for ever; one that is not may be on its way."""
        path = {Kind.TRANSFER: "transfers", Kind.REVERSAL: "transfers", Kind.WALLET: "wallets"}.get(
            first.kind
        )
        if path is None:
            return None
        status, body = await self._caller.ask(f"/v1/{path}?externalUniqueId={key}")
        if status == 200 and body["items"]:
            return Settled(True, "found", time.monotonic())
        return None

    async def _repeat(self, first: Operation, key: str) -> Settled | None:
        asked_s = time.monotonic()
        request = dict(first.request)
        if "expires" in request:
            request["expires"] = (datetime.now(UTC) + timedelta(seconds=5)).isoformat()
        again = await self._caller.call(
            "settler", first.kind, key=key, request=request, patience=_RETRY
        )
        if again.heard is Heard.UNKNOWN:
            self._unsettled[key].append(again)
            if again.command_id is not None:
                self._start(self._by_command(again))
            return None
        if again.code in _DUPLICATES:
            return Settled(True, str(again.code), asked_s)
        if again.heard is Heard.OK or (again.status in range(400, 500) and again.command_id):
            return Settled(False, again.code or "absent", asked_s)
        return None  # not accepted, or too late to look at the key: it says nothing

    def _count(self, operation: Operation) -> None:
        if operation.heard is Heard.UNKNOWN:
            self.settled_after_s.append(time.monotonic() - operation.ended_s)
