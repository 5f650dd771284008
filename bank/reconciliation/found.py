"""Keeping what a comparison finds, as it finds it: bounded in memory however much it is."""

from __future__ import annotations

from collections import Counter
from typing import Final

import msgspec

from bank.reconciliation import requests
from bank.reconciliation.requests import Difference, Request
from ledger.database import Queries
from topology.documents import Document

_AT_A_TIME: Final = 2000

_json: Final = msgspec.json.Encoder()


class Found:
    """The differences of one attempt, numbered in the order in which they are added."""

    def __init__(self, queries: Queries, request: Request) -> None:
        self._queries, self._request = queries, request
        self._waiting: list[Difference] = []
        self.kinds: Counter[str] = Counter()

    @property
    def count(self) -> int:
        return self.kinds.total()

    async def add(self, kind: str, document: Document) -> None:
        """Raises ``Superseded``, as ``flush``."""
        self.kinds[kind] += 1
        self._waiting.append(Difference(self.count, kind, _json.encode(document).decode()))
        if len(self._waiting) >= _AT_A_TIME:
            await self.flush()

    async def flush(self) -> None:
        if self._waiting:
            await requests.add_differences(self._queries, self._request, self._waiting)
            self._waiting.clear()
