"""From lines of text to commands: CSV and NDJSON.

A bad line costs that line; a header that cannot be right costs the file (``Unreadable``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ledger.batches import Format, Kind, Order
from ledger.staged import StagedLine
from producers.bulk.commands_of import (
    TRANSFER_COLUMNS,
    WALLET_COLUMNS,
    Make,
    transfer_of,
    wallet_of,
)
from producers.bulk.csv_lines import Csv
from producers.bulk.json_lines import Ndjson


class Reads(Protocol):
    def read(self, first: int, lines: Sequence[str | None]) -> list[StagedLine]:
        """What stands in these lines, blank ones left out; ``first`` is the number of the first.
        Raises ``Unreadable``."""

    def end(self) -> list[StagedLine]:
        """What was kept until it was clear that nothing more comes. Raises ``Unreadable``."""


def reader(order: Order) -> Reads:
    """The reader for a file of this kind and format."""
    make: Make = transfer_of if order.kind is Kind.TRANSFERS else wallet_of
    columns = TRANSFER_COLUMNS if order.kind is Kind.TRANSFERS else WALLET_COLUMNS
    if order.format is Format.CSV:
        return Csv(columns, make, order.from_wallet)
    return Ndjson(columns, make, order.from_wallet)
