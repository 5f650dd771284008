"""What a file may cost its reader: bounded steps, and bounded memory."""

from __future__ import annotations

import gzip
import sys
import tracemalloc
from collections.abc import Iterator

import pytest

from producers.bulk.unpacking import Lines

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

MIB = 1024 * 1024


def pieces(data: bytes) -> Iterator[bytes]:
    """As an upload is kept."""
    for start in range(0, len(data), MIB):
        yield data[start : start + MIB]


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
