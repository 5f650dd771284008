"""What a file may cost its reader: bounded steps, bounded memory, and sums without rounding."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ledger.batches import Batch, Format, Kind, Order, Status, Wish
from ledger.commands import PostTransfer, WalletRef
from ledger.money import parse_amount
from ledger.staged import StagedLine
from producers.bulk.preparing import _Totals
from producers.bulk.unpacking import Lines, Unreadable

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024


def pieces(data: bytes) -> Iterator[bytes]:
    """As an upload is kept."""
    for start in range(0, len(data), MIB):
        yield data[start : start + MIB]


def batch_of(control_total: Decimal) -> Batch:
    now = datetime.now(UTC)
    return Batch(
        batch_id="bounds",
        actor="test",
        order=Order(Kind.TRANSFERS, Format.CSV, "identity", control_total=control_total),
        status=Status.QUEUED,
        wish=Wish.RUN,
        received_bytes=0,
        digest=None,
        lines=None,
        prepared=False,
        reason=None,
        created=now,
        received=now,
        started=None,
        finished=None,
    )


BOMBS = {
    "one endless line": (gzip.compress(b"x" * 16 * MIB), "gzip"),
    "nothing but line ends": (gzip.compress(b"\n" * 4 * MIB), "gzip"),
    "one endless line, zstd": (zstd.compress(b"x" * 16 * MIB), "zstd"),
    "empty members": (gzip.compress(b"") * 20_000, "gzip"),
    "empty frames": (zstd.compress(b"") * 20_000, "zstd"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_unpacked_in_bounded_steps(name: str) -> None:
    """Behind each step others have their turn: it makes a bounded piece of text, of which no more
    is kept than a line."""
    packed, encoding = BOMBS[name]
    lines = Lines(encoding, 1024 * MIB)
    steps, most = 0, 0
    tracemalloc.start()
    try:
        for piece in pieces(packed):
            before = lines._bytes
            for _, some in lines.feed(piece):
                most = max(most, lines._bytes - before, len(some))
                before = lines._bytes
                steps += 1
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most <= 128 * 1024 + 1
    assert steps >= max(lines._bytes // (128 * 1024), 20_000 if "empty" in name else 0)
    assert peak < 8 * MIB


@pytest.mark.parametrize(
    ("control", "holds"), [("0.0001", True), ("0.0000", False), ("0.0002", False)]
)
def test_sums_are_exact_beyond_the_digits_of_a_default_context(control: str, holds: bool) -> None:
    """The largest amounts that can be read, ten million of them and more, have 29 digits together,
    of which the last ones count."""
    whole = "1" + "0" * 24
    wallets = WalletRef(None, "alice-01"), WalletRef(None, "bob-0001")
    command = PostTransfer(*wallets, parse_amount("0.0001"), "key-0001")
    totals = _Totals(batch_of(Decimal(whole + control[1:])))
    totals._amount = Decimal(whole)  # what ten million and one lines before it come to
    totals.add([StagedLine(10_000_002, command)])
    if holds:
        totals.check()
    else:
        with pytest.raises(Unreadable, match=f"adds up to {whole}.0001,"):
            totals.check()
