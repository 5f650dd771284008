"""What the bank side's statements change, and no more, is what its role may change."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
GRANTS = (ROOT / "ledger/sql/roles.sql").read_text()
STATEMENTS = "\n".join(p.read_text() for p in sorted((ROOT / "bank/sql").glob("*.sql")))


@pytest.mark.parametrize(
    "table", [*("bank_rows", "bank_actions", "bank_statements", "bank_aliases"), "payouts"]
)
def test_columns_that_may_be_changed(table: str) -> None:
    granted = re.search(rf"GRANT UPDATE \(([^)]*)\)\s+ON sov\.{table} TO sov_banker", GRANTS)
    assert granted is not None
    changed: set[str] = set()
    for change in re.finditer(
        rf"UPDATE {table}\b[^;]*?\bSET\b(.*?)(?:\bFROM bank_rows\b|\bWHERE \w|\bFROM locked\b)",
        STATEMENTS,
        re.DOTALL,
    ):
        changed |= set(re.findall(r"(?:^|,)\s*([a-z_]+) = ", change.group(1)))
    assert set(re.split(r"[,\s]+", granted.group(1))) == changed
