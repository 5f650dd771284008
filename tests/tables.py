"""Cases as text tables: one row per case, a header that names the columns."""

from __future__ import annotations

import pytest


def rows(table: str) -> list[dict[str, str]]:
    """The rows of a table whose cells are separated by ``|``; empty lines do not count."""
    header, *body = (
        [cell.strip() for cell in line.split("|")] for line in table.splitlines() if line.strip()
    )
    return [dict(zip(header, cells, strict=True)) for cells in body]


def cases(table: str) -> pytest.MarkDecorator:
    """The same as a parametrisation: each row is one test, named after its first column."""
    found = rows(table)
    return pytest.mark.parametrize("row", found, ids=[next(iter(row.values())) for row in found])
