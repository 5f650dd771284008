"""The bank side's SQL, as ``ledger.sql`` has the ledger's."""

from __future__ import annotations

import dataclasses

from ledger.sql.statements import Statements


@dataclasses.dataclass(frozen=True, slots=True)
class Leading(Statements):
    try_lead: str
    still_there: str
    wake: str


LEADING = Leading.load(__name__, "leading")
