"""Which formats there are, and what is the same in all of them."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date
from typing import Final

from bank.files import camt053, csv_file, mt940_file, ofx
from bank.files.contents import Contents, contents_of
from bank.files.csv_file import MOST_LINES, Columns, ColumnsInvalid, columns_of
from bank.files.entries import FileInvalid, Statement

__all__ = ["FORMATS", "Columns", "ColumnsInvalid", "FileInvalid", "columns_of", "read"]

_READERS: Final[dict[str, Callable[[bytes], Statement]]] = {
    "MT940": mt940_file.read,
    "CAMT053": camt053.read,
    "OFX": ofx.read,
}
FORMATS: Final = (*_READERS, "CSV")


def read(
    format_: str,
    body: bytes,
    columns: str | None,
    currency: str,
    exponent: int,
    handed_in: date,
    numbers: Collection[str | None] = (),
) -> Contents:
    """All of the file, or none of it. ``handed_in`` is the bank's day on which somebody brought it;
    ``numbers`` are those of the account whose it has to be. Raises ``FileInvalid``."""
    if format_ == "CSV":
        statement = csv_file.read(body, columns_of(columns or ""))
    else:
        statement = _READERS[format_](body)
    if len(statement.entries) > MOST_LINES:
        raise FileInvalid(f"it has more than {MOST_LINES} entries")
    return contents_of(statement, format_, currency, exponent, numbers, handed_in)
