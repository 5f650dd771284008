"""What a command counts when a transaction is filled."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest

from consumers.partition import transfers_of
from ledger.commands import (
    Command,
    PostStagedBatch,
    PostTransfer,
    PostTransferGroup,
    ReplayDeadLetter,
    WalletRef,
)

TRANSFER = PostTransfer(WalletRef(UUID(int=1)), WalletRef(UUID(int=2)), Decimal(1), "key-0001")
GROUP = PostTransferGroup((TRANSFER,) * 3)
STAGED = PostStagedBatch("payroll", b"", 10_000)


@pytest.mark.parametrize(
    ("command", "transfers"), [(TRANSFER, 1), (GROUP, 3), (STAGED, 10_000)], ids=["1", "3", "10000"]
)
def test_a_command_counts_as_its_transfers_also_when_it_is_replayed(
    command: PostTransfer | PostTransferGroup | PostStagedBatch, transfers: int
) -> None:
    replayed: Command = ReplayDeadLetter(UUID(int=3), command)
    assert transfers_of(command) == transfers_of(replayed) == transfers
