"""What people have to look at, as one statement brings it up: collected, then written at once."""

from __future__ import annotations

from collections import Counter
from typing import Any, Final
from uuid import UUID

import uuid_utils.compat

from bank.sql import DEPOSITS as SQL
from topology.texts import clean

_LONGEST_SHOWN: Final = 500
#: Of one statement; a bad day has hundreds.
_AT_ONCE: Final = 1000


class Findings:
    """Of one account, within the transaction of whoever collects them."""

    def __init__(self, connection: Any, account_id: str) -> None:
        self._connection, self._account_id = connection, account_id
        self._found: dict[tuple[str, str], tuple[object, ...]] = {}

    def add(
        self,
        kind: str,
        fingerprint: str,
        detail: str,
        row_id: UUID | None = None,
        other: UUID | None = None,
    ) -> None:
        """The same thing is one."""
        # What came instead of a row may hold what no database keeps.
        shown = clean(detail[:_LONGEST_SHOWN])
        found = (uuid_utils.compat.uuid7(), kind, fingerprint, row_id, other, shown)
        self._found.setdefault((kind, fingerprint), found)

    async def write(self) -> Counter[str]:
        """Answers by kind how many are news: those that nobody has been told of, or that were over
        by themselves."""
        found, raised = list(self._found.values()), Counter[str]()
        for first in range(0, len(found), _AT_ONCE):
            columns = zip(*found[first : first + _AT_ONCE], strict=True)
            news = await self._connection.fetch(SQL.raise_all, self._account_id, *columns)
            raised.update(each["kind"] for each in news)
        self._found.clear()
        return raised
