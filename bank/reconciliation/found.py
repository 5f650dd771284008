"""Keeping what a comparison finds, as it finds it: bounded in memory however much it is."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Final

import msgspec

from bank.reconciliation import requests
from bank.reconciliation.requests import Difference, Request
from ledger.behind import Behind
from ledger.database import Queries
from topology.documents import Document

_AT_A_TIME: Final = 2000
#: The loop has a turn after so many: what is being written goes on, and the lease is renewed.
_TURN_AFTER: Final = 100

_json: Final = msgspec.json.Encoder()


class Found:
    """The differences of one attempt, numbered in the order in which they are added. They are
    written behind: what ``add`` has taken is kept only after ``flush``."""

    def __init__(self, queries: Queries, request: Request, behind: Behind) -> None:
        self._queries, self._request, self._behind = queries, request, behind
        self._waiting: list[Difference] = []
        self.count = 0
        self.kinds: Counter[str] = Counter()

    async def add(self, kind: str, document: Document) -> None:
        """Raises ``Superseded``, as ``flush``, of this one or of those before it."""
        self.count += 1
        self.kinds[kind] += 1
        self._waiting.append(Difference(self.count, kind, _json.encode(document).decode()))
        if len(self._waiting) >= _AT_A_TIME:
            await self._write(last=False)
        elif self.count % _TURN_AFTER == 0:
            await self._behind.turn()

    async def flush(self) -> None:
        """All that was added is written down."""
        await self._write(last=True)

    async def _write(self, *, last: bool) -> None:
        found, self._waiting = self._waiting, []
        await self._behind.write(partial(self._keep, found), last=last)

    async def _keep(self, found: list[Difference]) -> None:
        if found:
            await requests.add_differences(self._queries, self._request, found)
