"""Bulk files: what was asked for, how far it has come, and whose turn it is.

Written by the role sov_uploader, which can write nothing else. A file is worked on by one process
at a time under a lease; that is a matter of economy alone, because whatever two of them sent would
be the same commands under the same ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final, NamedTuple

import msgspec

from ledger.database import Queries
from ledger.sql import BATCHES as SQL
from ledger.staged import LineResult, Word, decode_results, encode_results

#: A worker that renews every few seconds and has not for this long is gone.
LEASE: Final = timedelta(seconds=15)
#: An upload that was cut short may be continued for so long.
CONTINUE_WITHIN: Final = timedelta(hours=24)
#: Results can be asked for that long after the file has ended.
KEPT: Final = timedelta(days=90)

_END_OF_TIME: Final = datetime.max.replace(tzinfo=UTC)
_json: Final = msgspec.json.Encoder()


class LeaseLost(Exception):
    """Another worker has the file by now; nothing was written."""


class Kind(StrEnum):
    TRANSFERS = "TRANSFERS"
    WALLETS = "WALLETS"


class Format(StrEnum):
    CSV = "CSV"
    NDJSON = "NDJSON"


class Wish(StrEnum):
    RUN = "RUN"
    PAUSE = "PAUSE"
    CANCEL = "CANCEL"


class Status(StrEnum):
    RECEIVING = "RECEIVING"
    QUEUED = "QUEUED"
    """It has arrived whole, and is being read or waits for its turn."""
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    DONE = "DONE"
    """Every line has its last word, whichever."""
    CANCELLED = "CANCELLED"
    FAILED = "FAILED"
    """The file itself was refused, and nothing of it was sent."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a file is and what is to be done with it: the same file sent again says the same."""

    kind: Kind
    format: Format
    encoding: str
    """As in Content-Encoding: identity, gzip or zstd."""
    atomic: bool = False
    dry_run: bool = False
    not_after: datetime | None = None
    from_wallet: str | None = None
    """Whom to debit where a line does not say."""
    control_count: int | None = None
    control_total: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A file as it stands."""

    batch_id: str
    actor: str
    order: Order
    status: Status
    wish: Wish
    received_bytes: int
    digest: bytes | None
    lines: int | None
    prepared: bool
    reason: str | None
    created: datetime
    received: datetime | None
    started: datetime | None
    finished: datetime | None


class Progress(NamedTuple):
    """Lines by their last word, as far as lots are done."""

    posted: int
    rejected: int
    invalid: int
    expired: int
    cancelled: int
    posted_minor: Mapping[str, int]
    rejected_minor: Mapping[str, int]
    """By currency; of lines whose debit wallet is unknown there is no currency to count in."""


class Lot(NamedTuple):
    """Some hundred lines, as they are to be sent."""

    number: int
    body: bytes
    layout: int | None
    """Under which layout its commands may have been sent first; None while none was."""


async def create(connection: Queries, batch_id: str, actor: str, order: Order) -> None:
    """Nothing where there is a file under this id already."""
    await connection.fetch(
        SQL.create,
        batch_id,
        actor,
        order.kind.value,
        order.format.value,
        order.encoding,
        order.atomic,
        order.dry_run,
        order.not_after,
        order.from_wallet,
        order.control_count,
        order.control_total,
    )


async def get(connection: Queries, batch_id: str) -> Batch | None:
    row = await connection.fetchrow(SQL.get, batch_id)
    return None if row is None else _batch(row)


async def page(connection: Queries, after: tuple[datetime, str] | None, limit: int) -> list[Batch]:
    """The latest first."""
    created, batch_id = after or (_END_OF_TIME, "")
    return [_batch(row) for row in await connection.fetch(SQL.page, created, batch_id, limit)]


async def progress(connection: Queries, batch_id: str) -> Progress:
    counts: Sequence[int] = tuple(await connection.fetchrow(SQL.progress, batch_id))
    sums: dict[str, dict[str, int]] = {"posted": {}, "rejected": {}}
    for row in await connection.fetch(SQL.amounts, batch_id):
        sums[row["which"]][row["currency"]] = int(row["minor"])
    posted, rejected, invalid, expired, cancelled = counts
    return Progress(posted, rejected, invalid, expired, cancelled, sums["posted"], sums["rejected"])


async def append(
    connection: Queries, batch_id: str, position: int, piece: bytes, most_staged: int
) -> bool:
    """Keep the next piece of an upload; False where the upload does not stand at ``position``, or
    where all uploads together would have more than ``most_staged`` bytes."""
    return await connection.fetchval(SQL.append, batch_id, position, piece, most_staged) is not None


async def wish(connection: Queries, batch_id: str, wanted: Wish) -> bool:
    """Whether it can still be wished."""
    return await connection.fetchval(SQL.wish, batch_id, wanted.value) is not None


async def restart(connection: Queries, batch_id: str, worker: str) -> None:
    """Forget what was read of the file so far. Raises ``LeaseLost``."""
    _require(await connection.fetch(SQL.drop_lots, batch_id, worker))


async def add_lots(
    connection: Queries,
    batch_id: str,
    worker: str,
    rows: Sequence[tuple[int, int, int, int, bytes]],
) -> None:
    """Rows: number, first and last line, how many lines, body. Raises ``LeaseLost``."""
    columns = tuple(map(list, zip(*rows, strict=True)))
    _require(await connection.fetch(SQL.add_lots, batch_id, worker, *columns))


async def mark_lots(
    connection: Queries, batch_id: str, worker: str, lots: Sequence[int], layout: int
) -> None:
    """From here on their commands may be on the way. Raises ``LeaseLost``."""
    if lots:
        _require(await connection.fetch(SQL.send_lots, batch_id, worker, lots, layout))


async def finish_lot(
    connection: Queries,
    batch_id: str,
    worker: str,
    lot: int,
    results: Sequence[LineResult],
    posted_minor: Mapping[str, int],
    rejected_minor: Mapping[str, int],
) -> None:
    """The last word on all lines of a lot. One that has it already keeps it. Raises
    ``LeaseLost``."""
    counts = dict.fromkeys(Word, 0)
    for result in results:
        counts[result.word] += 1
    held = await connection.fetch(
        SQL.finish_lot,
        batch_id,
        worker,
        lot,
        encode_results(results),
        counts[Word.POSTED],
        counts[Word.REJECTED],
        counts[Word.INVALID],
        counts[Word.EXPIRED],
        counts[Word.CANCELLED],
        _json.encode(posted_minor).decode(),
        _json.encode(rejected_minor).decode(),
    )
    _require(held)


def _require(held: Sequence[object]) -> None:
    if not held:
        raise LeaseLost


async def open_lots(connection: Queries, batch_id: str, after: int, limit: int) -> list[Lot]:
    """The next lots that have no results yet."""
    rows = await connection.fetch(SQL.open_lots, batch_id, after, limit)
    return [Lot(row["lot"], row["body"], row["layout"]) for row in rows]


class Decided(NamedTuple):
    """How far results go without a gap."""

    before_lot: int | None
    """The first lot without results; None where every lot has them."""
    last_line: int


async def decided(connection: Queries, batch: Batch) -> Decided:
    if not batch.prepared:
        return Decided(None if batch.finished else 0, 0)
    row = await connection.fetchrow(SQL.done_until, batch.batch_id)
    return Decided(row["open"], row["last_line"] or 0)


async def results(
    connection: Queries,
    batch_id: str,
    after_line: int,
    from_lot: int,
    before_lot: int | None,
    limit: int,
) -> list[tuple[int, list[LineResult]]]:
    """Lots of results in the file's order, each with its number."""
    rows = await connection.fetch(SQL.results, batch_id, after_line, before_lot, limit, from_lot)
    return [
        (row["lot"], [r for r in decode_results(row["results"]) if r.number > after_line])
        for row in rows
    ]


def _batch(row: Mapping[str, Any]) -> Batch:
    return Batch(
        batch_id=row["batch_id"],
        actor=row["actor"],
        order=Order(
            kind=Kind(row["kind"]),
            format=Format(row["format"]),
            encoding=row["encoding"],
            atomic=row["atomic"],
            dry_run=row["dry_run"],
            not_after=row["not_after"],
            from_wallet=row["from_wallet"],
            control_count=row["control_count"],
            control_total=row["control_total"],
        ),
        status=Status(row["status"]),
        wish=Wish(row["wish"]),
        received_bytes=row["received_bytes"],
        digest=row["digest"],
        lines=row["lines"],
        prepared=row["prepared"],
        reason=row["reason"],
        created=row["created"],
        received=row["received"],
        started=row["started"],
        finished=row["finished"],
    )
