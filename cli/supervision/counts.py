"""What a process had counted when it ended.

The processes of a machine keep their metrics in one folder, a few files per process, and whoever is
asked reads them all (``prometheus_client``'s multi-process mode). Without this every restart would
leave its files behind, to be read again at each question.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client.mmap_dict import MmapedDict

# Sums over processes by their nature; buckets of histograms are kept apart in the files.
_SUMMED = ("counter", "histogram", "summary")
_HEAD = struct.Struct("i4x")
_LENGTH = struct.Struct("i")
_VALUE = struct.Struct("dd")


def bury(folder: Path, pid: int) -> None:
    """Add what ``pid`` had counted to the one file of all that have ended.

    What it had in flight is not in flight any more; its counters go on counting. Where that file
    cannot be written (a full disk) the dead process's own stays and is still counted. Whoever reads
    in the same moment may count it twice, or miss the file it has just seen: once.
    """
    for file in folder.glob(f"gauge_live*_{pid}.db"):
        file.unlink(missing_ok=True)
    for kind in _SUMMED:
        dead = folder / f"{kind}_{pid}.db"
        if dead.exists():
            with suppress(OSError):
                _add(dead, folder / f"{kind}_ended.db")
                dead.unlink()


def _add(dead: Path, ended: Path) -> None:
    try:
        counted = list(_values(dead))
    except (struct.error, RuntimeError, ValueError):
        return  # cut short while it was made or written: whoever reads it would fail each time
    total = dict(_values(ended)) if ended.exists() else {}
    for key, value in counted:
        total[key] = total.get(key, 0.0) + value
    _replace(ended, total)


def _values(file: Path) -> Iterator[tuple[str, float]]:
    read = MmapedDict.read_all_values_from_file(file)  # type: ignore[no-untyped-call]  # as it is
    for key, value, _, _ in read:
        yield key, value


def _replace(file: Path, values: dict[str, float]) -> None:
    """In one step, and written like any file: a memory map on a full disk would kill us."""
    fresh = file.with_name(f".{file.name}")  # hidden: readers ask for *.db
    fresh.write_bytes(_encoded(values.items()))
    fresh.replace(file)


def _encoded(values: Iterable[tuple[str, float]]) -> bytes:
    """As ``MmapedDict`` lays it out: a head with the length used, then key and value by turns."""
    body = b""
    for key, value in values:
        text = key.encode()
        padding = b" " * (8 - (len(text) + _LENGTH.size) % 8)
        body += _LENGTH.pack(len(text)) + text + padding + _VALUE.pack(value, 0.0)
    return _HEAD.pack(_HEAD.size + len(body)) + body
