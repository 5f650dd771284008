"""An independent audit: a history of calls, replayed against the rows of the books.

It shares no code with what it judges and asks the tables with plain SQL: a defect in the ledger's
own code cannot make it look away.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from tests.simulation import rules_answers, rules_books, rules_order, rules_reservations
from tests.simulation.case import Case
from tests.simulation.findings import Finding
from tests.simulation.history import History
from tests.simulation.rows import Rows, fetch

Rule = Callable[[Case], Iterable[Finding]]

OF_CALLS: tuple[Rule, ...] = (
    *rules_answers.RULES,
    *rules_order.RULES,
    *rules_reservations.RULES,
)


def audit(history: History, rows: Rows) -> list[Finding]:
    """Everything that is wrong; empty where all holds. Every unknown call must be settled."""
    findings = [finding for rule in rules_books.RULES for finding in rule(rows)]
    case = Case.of(history, rows)
    return findings + [finding for rule in OF_CALLS for finding in rule(case)]


async def audit_books(history: History, dsn: str) -> list[Finding]:
    """The same for the books behind a URL, all in one snapshot."""
    return audit(history, await fetch(dsn))
